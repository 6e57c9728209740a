import { createTokens } from '../../api/tokens';
import { systemAccountId, type AccountId, type UserId } from '../../contracts/ids';
import { transactionId } from '../../ledger/identity';
import { createSealer } from '../../ledger/seal';
import { openShards, type Shards } from '../../ledger/shards';
import { openAccount } from '../../users/accounts';
import { Users } from '../../users/store';
import type { Stack } from './stack';

export const silent = { info() {}, warn() {}, error() {} };

export interface Person {
  userId: UserId;
  username: string;
  token: string;
  /** Their SGD wallet, by both its names. */
  wallet: string;
  accountId: AccountId;
  openingMinor: bigint;
}

export async function withShards<T>(stack: Stack, work: (shards: Shards) => Promise<T>, url?: string): Promise<T> {
  const shards = openShards({ urls: [url ?? stack.appUrl], log: silent, poolSize: 4, patienceMs: 60_000 });
  try {
    return await work(shards);
  } finally {
    await shards.close();
  }
}

/** The tokens of two people of ops. */
export async function makeStaff(stack: Stack): Promise<[string, string]> {
  const sealer = createSealer([{ id: 'test', key: Buffer.alloc(32, 5) }]);
  const tokens = createTokens({ key: stack.secrets.HOLDFAST_TOKEN_KEY, ttlSeconds: 3_600 });
  return withShards(stack, async (shards) => {
    const make = async (username: string) => {
      const roles = ['ops' as const];
      const facts = { username, name: username, email: `${username}@example.com`, passwordHash: 'none', roles };
      const { id: userId } = (await new Users(shards, sealer).create(facts))!;
      return tokens.issue({ userId, username, roles }).accessToken;
    };
    return [await make('ops_one'), await make('ops_other')];
  });
}

/** Users with one SGD wallet each, and money in it by a real opening transaction, as the demo's seed does it. */
export function makePeople(stack: Stack, count: number, openingMinor = 20_00n): Promise<Person[]> {
  const sealer = createSealer([{ id: 'test', key: Buffer.alloc(32, 5) }]);
  const tokens = createTokens({ key: stack.secrets.HOLDFAST_TOKEN_KEY, ttlSeconds: 3_600 });
  return withShards(stack, async (shards) => {
    const users = new Users(shards, sealer);
    const shard = shards.shard(0);
    const make = async (_: unknown, index: number): Promise<Person> => {
      const username = `person_${index}`;
      const roles = ['customer' as const];
      const facts = { username, name: username, email: `${username}@example.com`, passwordHash: 'none', roles };
      const user = (await users.create(facts))!;
      await openAccount(shard, user.id, 'SGD');
      const { id: accountId } = await shard.db
        .selectFrom('accounts')
        .select('id')
        .where('owner_id', '=', user.id)
        .executeTakeFirstOrThrow();
      const { accessToken } = tokens.issue({ userId: user.id, username, roles });
      return { userId: user.id, username, token: accessToken, wallet: `${username}.SGD`, accountId, openingMinor };
    };
    const people = await Promise.all(Array.from({ length: count }, make));
    const outcomes = await shard.poster.post(
      people.map(({ userId, accountId }) => ({
        kind: 'transfer' as const,
        facts: {
          id: transactionId(userId, 'opening of a test'),
          type: 'opening' as const,
          actorId: userId,
          hash: 'opening',
          from: systemAccountId(0, '@bank', 'SGD'),
          to: accountId,
          amountMinor: openingMinor,
          currency: 'SGD',
        },
      })),
    );
    if (!outcomes.every((each) => each.kind === 'transaction' && each.status === 'completed')) {
      throw new Error(`The opening failed: ${JSON.stringify(outcomes[0])}`);
    }
    return people;
  });
}
