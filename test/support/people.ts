import { createTokens } from '../../api/tokens';
import { shardOfId, systemAccountId, type AccountId, type UserId } from '../../contracts/ids';
import type { Role } from '../../contracts/statuses';
import { newUserId, transactionId } from '../../ledger/identity';
import { record } from '../../ledger/record';
import { openShards, type Shard, type Shards } from '../../ledger/shards';
import { openAccount } from '../../users/accounts';
import { sealedEarlier } from './sealer';
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

export async function withShards<T>(
  { appUrls }: Pick<Stack, 'appUrls'>,
  work: (shards: Shards) => Promise<T>,
): Promise<T> {
  const shards = openShards({ urls: appUrls, log: silent, poolSize: 4, patienceMs: 60_000 });
  try {
    return await work(shards);
  } finally {
    await shards.close();
  }
}

const SEAL_KEY = { id: 'test', key: Buffer.alloc(32, 5) };
const ADD = `
  insert into users (id, username, password_hash, name_sealed, email_sealed, roles) values ($1, $2, 'none', $3, $4, $5)
  returning id`;

/** In a form that the release before reads, too, and on its tables. */
async function addUser(shards: Shards, username: string, roles: Role[]): Promise<UserId> {
  const shard = shards.forUsername(username);
  const id = newUserId(shard.number);
  const sealed = [username, `${username}@example.com`].map((text) => sealedEarlier(text, SEAL_KEY));
  const change = { name: 'add-person', text: ADD, values: [id, username, ...sealed, roles] };
  await record(shard, {
    subjectId: id,
    event: 'user_created',
    detail: { roles },
    change,
    actorId: id,
    role: 'customer',
  });
  return id;
}

/** The tokens of two people of ops. */
export async function makeStaff(stack: Stack): Promise<[string, string]> {
  const tokens = createTokens({ key: stack.secrets.HOLDFAST_TOKEN_KEY, ttlSeconds: 3_600 });
  return withShards(stack, async (shards) => {
    const make = async (username: string) => {
      const roles = ['ops' as const];
      const userId = await addUser(shards, username, roles);
      return tokens.issue({ userId, username, roles }).accessToken;
    };
    return [await make('ops_one'), await make('ops_other')];
  });
}

/** Users with one SGD wallet each, and money in it by a real opening transaction, as the demo's seed does it. */
export function makePeople(stack: Stack, count: number, openingMinor = 20_00n): Promise<Person[]> {
  const tokens = createTokens({ key: stack.secrets.HOLDFAST_TOKEN_KEY, ttlSeconds: 3_600 });
  return withShards(stack, async (shards) => {
    const make = async (_: unknown, index: number): Promise<Person> => {
      const username = `person_${index}`;
      const roles = ['customer' as const];
      const userId = await addUser(shards, username, roles);
      const shard = shards.forUsername(username);
      await openAccount(shard, userId, 'SGD');
      const { id: accountId } = await shard.db
        .selectFrom('accounts')
        .select('id')
        .where('owner_id', '=', userId)
        .executeTakeFirstOrThrow();
      const { accessToken } = tokens.issue({ userId, username, roles });
      return { userId, username, token: accessToken, wallet: `${username}.SGD`, accountId, openingMinor };
    };
    const people = await Promise.all(Array.from({ length: count }, make));
    await Promise.all(shards.all.map((shard) => giveOpenings(shard, people.filter(livesOn(shard.number)))));
    return people;
  });
}

export const livesOn =
  (...shards: number[]) =>
  ({ accountId }: Person): boolean =>
    shards.includes(shardOfId(accountId)!);

async function giveOpenings({ number, poster }: Shard, people: Person[]): Promise<void> {
  const outcomes = await poster.post(
    people.map(({ userId, accountId, openingMinor }) => ({
      kind: 'transfer' as const,
      facts: {
        id: transactionId(userId, 'opening of a test'),
        type: 'opening' as const,
        actorId: userId,
        hash: 'opening',
        from: systemAccountId(number, '@bank', 'SGD'),
        to: accountId,
        amountMinor: openingMinor,
        currency: 'SGD',
      },
    })),
  );
  if (!outcomes.every((each) => each.kind === 'transaction' && each.status === 'completed')) {
    throw new Error(`The opening failed: ${JSON.stringify(outcomes[0])}`);
  }
}
