import { sql } from 'kysely';
import type { AccountId, UserId, WalletName } from '../contracts/ids';
import { parseWalletName, walletName } from '../contracts/ids';
import { Kept } from './kept';
import { ERASED } from './seal';
import { readable, readIfThere, type Shards } from './shards';

export interface NamedAccount extends WalletName {
  accountId: AccountId;
  ownerId: UserId;
}

const MAX_CACHED = 200_000;
/** So long after an erasure another process may still know a name. */
const KEEP_MS = 5 * 60_000;

/**
 * Which account a wallet's name means, and back. The mapping changes only when its user is erased, so what was found is
 * kept for a while; what was not found is asked again, since it may come to be.
 */
export class Names {
  private readonly byName = new Kept<NamedAccount>(MAX_CACHED, KEEP_MS);
  private readonly asking = new Map<string, Promise<NamedAccount | undefined>>();
  private readonly byId = new Kept<NamedAccount>(MAX_CACHED, KEEP_MS);

  constructor(private readonly shards: Shards) {}

  async resolve(name: WalletName): Promise<NamedAccount | undefined> {
    const known = this.cached(name);
    if (known) return known;
    // A thousand transfers to one new name ask once.
    const key = walletName(name);
    const asking = this.asking.get(key) ?? this.find(name).finally(() => this.asking.delete(key));
    this.asking.set(key, asking);
    return asking;
  }

  /** The answer at once, when it is known: the hot path of a transfer. */
  cached(name: WalletName): NamedAccount | undefined {
    return this.byName.get(walletName(name));
  }

  private async find(name: WalletName): Promise<NamedAccount | undefined> {
    const { db } = await readable(this.shards.forUsername(name.username));
    const row = await db
      .selectFrom('accounts')
      .innerJoin('users', 'users.id', 'accounts.owner_id')
      .where('users.username', '=', name.username)
      .where('accounts.currency', '=', name.currency)
      .select(['accounts.id as accountId', 'users.id as ownerId'])
      .executeTakeFirst();
    if (!row) return undefined;
    const found = { ...name, ...row };
    this.keep(found);
    return found;
  }

  /** The public names of accounts, wherever they live; the house's are their own. */
  async ofAccounts(ids: Iterable<AccountId>): Promise<Map<AccountId, string>> {
    const names = new Map<AccountId, string>();
    const missing = new Map<number, AccountId[]>();
    for (const id of new Set(ids)) {
      const known = this.byId.get(id);
      const name = known ? walletName(known) : systemName(id);
      if (name !== undefined) {
        names.set(id, name);
        continue;
      }
      const shard = this.shards.forId(id);
      if (shard) missing.set(shard.number, [...(missing.get(shard.number) ?? []), id]);
    }
    const found = await Promise.all([...missing].map(([number, accountIds]) => this.findNames(number, accountIds)));
    for (const row of found.flat()) {
      this.keep(row);
      names.set(row.accountId, walletName(row));
    }
    return names;
  }

  /** A shard that is down keeps nobody on another one from their history: its accounts have no name in it for now. */
  private async findNames(shard: number, accountIds: AccountId[]): Promise<NamedAccount[]> {
    const found = await readIfThere(this.shards.shard(shard), (db) =>
      db
        .selectFrom('accounts')
        .innerJoin('users', 'users.id', 'accounts.owner_id')
        .where('accounts.id', 'in', accountIds)
        .select(['accounts.id as accountId', 'accounts.currency', 'users.id as ownerId'])
        .select(sql<string>`case users.status when 'erased' then ${ERASED} else users.username end`.as('username'))
        .execute(),
    );
    return found ?? [];
  }

  /** As far as this process knows. */
  forget(userId: UserId): void {
    for (const kept of [this.byName, this.byId]) kept.deleteAll(({ ownerId }) => ownerId === userId);
  }

  private keep(found: NamedAccount): void {
    this.byId.set(found.accountId, found);
    if (found.username !== ERASED) this.byName.set(walletName(found), found);
  }
}

function systemName(id: AccountId): string | undefined {
  const name = id.slice(id.indexOf('_', 3) + 1);
  return name.startsWith('@') && parseWalletName(name.slice(1)) ? name : undefined;
}
