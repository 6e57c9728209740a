import { createHmac } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { BankAccountDetails } from '../bank/rail';
import type { BankAccountId, UserId } from '../contracts/ids';
import type { By } from '../ledger/by';
import { newBankAccountId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import { ERASED, fieldOf, type Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';

/** What of a bank account is ever shown: its holder and number stay sealed. */
export type BankAccount = Omit<Selectable<Database['bank_accounts']>, 'details_sealed' | 'fingerprint'>;

const SHOWN = ['id', 'owner_id', 'bank_code', 'masked_number', 'status', 'reason', 'created_at'] as const;
const MAX_LISTED = 200;

/** A token can outlive a wiped database, and an erasure by seconds: nothing is kept for a user who isn't there. */
const ADD = `
  insert into bank_accounts (id, owner_id, bank_code, details_sealed, fingerprint, masked_number)
  select $1, id, $3, $4, $5, $6 from users where id = $2 and status <> 'erased'
  on conflict (owner_id, fingerprint) do nothing returning id`;

interface NewRow {
  id: BankAccountId;
  owner: UserId;
  details: BankAccountDetails;
  fingerprint: string;
  by: By;
}

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
    by: By,
  ): Promise<{ account: BankAccount; created: boolean } | undefined> {
    const shard = this.shardOf(owner);
    const fingerprint = this.fingerprintOf(details);
    const id = newBankAccountId(shard.number);
    const created =
      !(await this.same(shard, owner, fingerprint)) &&
      (await this.insert(shard, { id, owner, details, fingerprint, by }));
    const account = await this.same(shard, owner, fingerprint);
    return account && { account, created };
  }

  private same({ db }: Shard, owner: UserId, fingerprint: string): Promise<BankAccount | undefined> {
    return db
      .selectFrom('bank_accounts')
      .select(SHOWN)
      .where('owner_id', '=', owner)
      .where('fingerprint', '=', fingerprint)
      .executeTakeFirst();
  }

  /** Somebody else's is as unknown as one that isn't there. */
  find(owner: UserId, id: BankAccountId): Promise<BankAccount | undefined> {
    return this.ownedBy(owner).where('id', '=', id).executeTakeFirst();
  }

  list(owner: UserId): Promise<BankAccount[]> {
    return this.ownedBy(owner).orderBy('created_at', 'desc').orderBy('id').limit(MAX_LISTED).execute();
  }

  private async insert(shard: Shard, { id, owner, details, fingerprint, by }: NewRow): Promise<boolean> {
    const { bankCode, holder, number } = details;
    const sealed = await this.sealer.seal(owner, fieldOf.bankAccount(id), JSON.stringify({ holder, number }));
    const values = [id, owner, bankCode, sealed, fingerprint, maskNumber(number)];
    return record(shard, {
      subjectId: id,
      event: 'bank_account_added',
      detail: { owner },
      change: { name: 'add-bank-account', text: ADD, values },
      ...by,
    });
  }

  private ownedBy(owner: UserId) {
    return this.shardOf(owner).db.selectFrom('bank_accounts').select(SHOWN).where('owner_id', '=', owner);
  }

  private shardOf(owner: UserId): Shard {
    return this.shards.forId(owner)!;
  }

  /** With the holder: a name that the bank refused can be put right by adding the account again. */
  private fingerprintOf({ bankCode, number, holder }: BankAccountDetails): string {
    const name = holder.toLowerCase().replaceAll(/\s+/g, ' ').trim();
    return createHmac('sha256', this.fingerprintKey).update(`${bankCode}\0${number}\0${name}`).digest('base64url');
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
  const details = await sealer.open(row.details_sealed, fieldOf.bankAccount(id));
  if (details === ERASED) return undefined;
  const { holder, number } = JSON.parse(details) as Omit<BankAccountDetails, 'bankCode'>;
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
