import { randomInt } from 'node:crypto';
import type { AccountId } from '../contracts/ids';
import type { Shard } from '../ledger/shards';

/** Tells our numbers from others at the bank. */
const PREFIX = '88';
const FORM = /^88(\d{4})\d{8}\d{2}$/;

/** A wallet's number at our bank, made when it is first asked for, and the same ever after. */
export async function virtualAccountOf(shard: Shard, accountId: AccountId): Promise<string> {
  for (;;) {
    const known = await shard.db
      .selectFrom('virtual_accounts')
      .select('number')
      .where('account_id', '=', accountId)
      .executeTakeFirst();
    if (known) return known.number;
    // Another request may make one at the same moment, and a number may be somebody's already: both are looked at again.
    await shard.db
      .insertInto('virtual_accounts')
      .values({ number: newNumber(shard.number), account_id: accountId })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** The shard that a number of ours names; undefined for one that is mistyped, or not ours. */
export function shardOfVirtualAccount(number: string): number | undefined {
  const shard = FORM.exec(number)?.[1];
  return shard !== undefined && BigInt(number) % 97n === 1n ? Number(shard) : undefined;
}

function newNumber(shard: number): string {
  const random = String(randomInt(10 ** 8)).padStart(8, '0');
  const body = PREFIX + String(shard).padStart(4, '0') + random;
  return body + checkDigits(body);
}

/** ISO 7064 mod 97-10, as in an IBAN: it finds every mistyped digit, and nearly every swap of two. */
export function checkDigits(body: string): string {
  return String(98n - ((BigInt(body) * 100n) % 97n)).padStart(2, '0');
}
