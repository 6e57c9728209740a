import type { Role } from '../contracts/statuses';
import { systemAccountId, type AccountId } from '../contracts/ids';
import { createTokens } from '../api/tokens';
import { SYSTEM } from '../ledger/by';
import { commandHash, transactionId } from '../ledger/identity';
import { createSealer } from '../ledger/seal';
import { openShards, type Shards } from '../ledger/shards';
import { openAccount } from '../users/accounts';
import { hashPassword } from '../users/passwords';
import { Users, type User } from '../users/store';
import type { Config } from './config';
import { UserError } from './user-error';

interface DemoUser {
  username: string;
  name: string;
  role: Role;
  currencies: string[];
}

const DEMO_USERS: DemoUser[] = [
  { username: 'house', name: 'Demo House', role: 'customer', currencies: ['SGD'] },
  { username: 'yunus', name: 'Yunus Demo', role: 'customer', currencies: ['SGD', 'JPY'] },
  { username: 'nick', name: 'Nick Demo', role: 'customer', currencies: ['SGD', 'JPY'] },
  { username: 'andrew', name: 'Andrew Demo', role: 'customer', currencies: ['SGD', 'JPY'] },
  // Two, for what takes a second person.
  { username: 'ops', name: 'Olivia Ops', role: 'ops', currencies: [] },
  { username: 'ops2', name: 'Omar Ops', role: 'ops', currencies: [] },
];

export const demoPassword = (username: string) => `${username}-demo`;

const OPENING = { from: '@bank.SGD', to: 'house.SGD', currency: 'SGD', amountMinor: 1_000_000_00n };
// No client can send this key, for it has a space in it.
const OPENING_KEY = 'demo opening';

type SeedConfig = Pick<Config, 'production' | 'shards' | 'secrets' | 'tokenTtlSeconds'>;

const silent = { info() {}, warn() {}, error() {} };

/** The demo's users, wallets and first money. Running it again changes nothing; production has no demo. */
export async function seed(config: SeedConfig): Promise<void> {
  await withDemo(config, async (shards, users) => {
    for (const demo of DEMO_USERS) {
      const user = await ensureUser(users, demo);
      for (const currency of demo.currencies)
        await openAccount(shards.forUsername(user.username), user.id, currency, SYSTEM);
      if (demo.username === 'house') await openTheBooks(config, shards, user);
    }
  });
}

export interface DemoToken {
  username: string;
  roles: readonly Role[];
  accessToken: string;
  expiresAt: Date;
}

/** A token for each demo user, ready to paste. */
export async function demoTokens(config: SeedConfig): Promise<DemoToken[]> {
  const tokens = createTokens({ key: config.secrets.tokenKey, ttlSeconds: config.tokenTtlSeconds });
  return withDemo(config, async (_shards, users) => {
    const found = await Promise.all(DEMO_USERS.map(({ username }) => users.byUsername(username)));
    return found
      .filter((user) => user !== undefined)
      .map(({ id, username, roles }) => ({ username, roles, ...tokens.issue({ userId: id, username, roles }) }));
  });
}

async function withDemo<T>(config: SeedConfig, work: (shards: Shards, users: Users) => Promise<T>): Promise<T> {
  if (config.production) {
    throw new UserError(
      'The demo users have passwords that everyone knows, so they are never made in production mode.',
      'Leave HOLDFAST_ENV=production out for a demo, or sign users up with POST /v1/users.',
    );
  }
  const shards = openShards({ urls: config.shards.map((shard) => shard.url), log: silent, poolSize: 2 });
  try {
    return await work(shards, new Users(shards, createSealer({ shards, ...config.secrets })));
  } finally {
    await shards.close();
  }
}

async function ensureUser(users: Users, { username, name, role }: DemoUser): Promise<User> {
  const existing = await users.byUsername(username);
  if (existing) return existing;
  const passwordHash = await hashPassword(demoPassword(username));
  const facts = { username, name, email: `${username}@example.com`, passwordHash, roles: [role] };
  const user = (await users.create(facts, SYSTEM)) ?? (await users.byUsername(username));
  if (!user) throw new Error(`The demo user ${username} was neither made nor found`);
  return user;
}

/** The house's first money comes from the bank's side of the books by a transaction like any other. */
async function openTheBooks(config: SeedConfig, shards: Shards, house: User): Promise<void> {
  const { currency, amountMinor } = OPENING;
  const shard = shards.forUsername(house.username);
  const to = await shard.db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', house.id)
    .where('currency', '=', currency)
    .executeTakeFirstOrThrow();
  const from: AccountId = systemAccountId(shard.number, '@bank', currency);
  const id = transactionId(house.id, OPENING_KEY);
  const hash = commandHash(config.secrets.commandKey, { type: 'opening', ...OPENING, message: null });
  const [outcome] = await shard.poster.post([
    {
      kind: 'transfer',
      facts: { id, type: 'opening', actorId: house.id, hash, from, to: to.id, amountMinor, currency },
    },
  ]);
  if (outcome?.kind === 'conflict') {
    throw new UserError(
      'The demo data was made with another HOLDFAST_COMMAND_KEY.',
      'That key must never change: put the old one back, or wipe the demo with `npm run reset`.',
    );
  }
  if (outcome?.kind !== 'transaction' || outcome.status !== 'completed') {
    throw new Error(`The opening transaction did not complete: ${JSON.stringify(outcome)}`);
  }
}
