import { createHmac } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { BankAccountDetails } from '../bank/rail';
import type { BankAccountId, UserId } from '../contracts/ids';
import { newBankAccountId } from '../ledger/identity';
import type { Database } from '../ledger/schema';
import type { Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';

/** What of a bank account is ever shown: its holder and number stay sealed. */
export type BankAccount = Omit<Selectable<Database['bank_accounts']>, 'details_sealed' | 'fingerprint'>;

const SHOWN = ['id', 'owner_id', 'bank_code', 'masked_number', 'status', 'reason', 'created_at'] as const;
const MAX_LISTED = 200;

/** Bank accounts of customers, on their owners' shards. */
export class BankAccounts {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
    /** Keys the fingerprints; it never rotates, or an account added again would be another. */
    private readonly fingerprintKey: string,
  ) {}

  /** The account, new or as it was added before; undefined for an owner who isn't there. */
  async add(
    owner: UserId,
    details: BankAccountDetails,
  ): Promise<{ account: BankAccount; created: boolean } | undefined> {
    const shard = this.shardOf(owner);
    const fingerprint = this.fingerprintOf(details);
    const created = await this.insert(shard, owner, details, fingerprint);
    const account =
      created ??
      (await shard.db
        .selectFrom('bank_accounts')
        .select(SHOWN)
        .where('owner_id', '=', owner)
        .where('fingerprint', '=', fingerprint)
        .executeTakeFirst());
    return account && { account, created: created !== undefined };
  }

  /** Somebody else's is as unknown as one that isn't there. */
  find(owner: UserId, id: BankAccountId): Promise<BankAccount | undefined> {
    return this.ownedBy(owner).where('id', '=', id).executeTakeFirst();
  }

  list(owner: UserId): Promise<BankAccount[]> {
    return this.ownedBy(owner).orderBy('created_at', 'desc').orderBy('id').limit(MAX_LISTED).execute();
  }

  private insert(shard: Shard, owner: UserId, details: BankAccountDetails, fingerprint: string) {
    const { bankCode, holder, number } = details;
    const values = {
      id: newBankAccountId(shard.number),
      bank_code: bankCode,
      details_sealed: this.sealer.seal(JSON.stringify({ holder, number })),
      fingerprint,
      masked_number: maskNumber(number),
    };
    const columns = Object.keys(values) as (keyof typeof values)[];
    return (
      shard.db
        .insertInto('bank_accounts')
        .columns(['owner_id', ...columns])
        // A token can outlive a wiped database: nothing is kept for a user who isn't there.
        .expression(({ selectFrom, val }) =>
          selectFrom('users')
            .select(['users.id as owner_id'])
            .select(columns.map((column) => val(values[column]).as(column)))
            .where('users.id', '=', owner),
        )
        .onConflict((conflict) => conflict.columns(['owner_id', 'fingerprint']).doNothing())
        .returning(SHOWN)
        .executeTakeFirst()
    );
  }

  private ownedBy(owner: UserId) {
    return this.shardOf(owner).db.selectFrom('bank_accounts').select(SHOWN).where('owner_id', '=', owner);
  }

  private shardOf(owner: UserId): Shard {
    return this.shards.forId(owner)!;
  }

  private fingerprintOf({ bankCode, number }: BankAccountDetails): string {
    return createHmac('sha256', this.fingerprintKey).update(`${bankCode}\0${number}`).digest('base64url');
  }
}

/** What the bank has to be told of an account. */
export async function bankAccountDetails(
  db: Kysely<Database>,
  sealer: Pick<Sealer, 'open'>,
  id: BankAccountId,
): Promise<BankAccountDetails | undefined> {
  const row = await db
    .selectFrom('bank_accounts')
    .select(['bank_code', 'details_sealed'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!row) return undefined;
  const { holder, number } = JSON.parse(sealer.open(row.details_sealed)) as Omit<BankAccountDetails, 'bankCode'>;
  return { holder, number, bankCode: row.bank_code };
}

export async function maskedNumbers(
  db: Kysely<Database>,
  ids: readonly BankAccountId[],
): Promise<Map<BankAccountId, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom('bank_accounts').select(['id', 'masked_number']).where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row.masked_number]));
}

/** Enough to tell one's own accounts apart: the last four, and never more than half of it. */
export function maskNumber(number: string): string {
  return `****${number.slice(-Math.min(4, Math.floor(number.length / 2)))}`;
}
