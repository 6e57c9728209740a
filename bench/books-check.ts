import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { systemAccountId } from '../contracts/ids';
import { CURRENCY, FUNDS_MINOR } from './customers';
import type { Answered, Bench } from './measurements';
import type { Stack } from './stack';

/** How long what was answered 202 may still take when the load has ended. */
const ENDING_MS = 60_000;

/** A fast answer that isn't true is worth nothing: what was answered is in the books, and the bank says the same. */
export async function checkBooks(stack: Stack, bench: Bench, say: (line: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString: stack.postgres.ownerUrl('holdfast_0') });
  await client.connect();
  try {
    await allEnded(client);
    const completed = await completedByType(client);
    for (const type of Object.keys(bench.answered) as (keyof Answered)[]) {
      const [asked, booked] = [bench.answered[type], completed.get(type) ?? 0];
      if (booked < asked) throw new Error(`${asked} x ${type} was answered, the books have ${booked}`);
      say(`${asked} x ${type} was answered; the books have ${booked}.`);
    }
    const { total, bank } = await balances(client);
    if (total !== 0n) throw new Error(`All balances sum to ${total}`);
    // The customers' first money came from no bank.
    const [ours, theirs] = [-bank - FUNDS_MINOR * BigInt(bench.customers.length), await bench.bankBalance(CURRENCY)];
    if (ours !== theirs) throw new Error(`The bank has ${theirs} for us, by the books it has ${ours}`);
    say('All balances sum to zero, and the bank has what the books say.');
  } finally {
    await client.end();
  }
}

async function allEnded(client: pg.Client): Promise<void> {
  const giveUpAt = Date.now() + ENDING_MS;
  for (;;) {
    const { rows } = await client.query<{ open: string }>(
      'select count(*) as open from transactions where completed_at is null',
    );
    const open = Number(rows[0]!.open);
    if (open === 0) return;
    if (Date.now() > giveUpAt) throw new Error(`${open} transactions have not ended after ${ENDING_MS / 1000} s`);
    await sleep(250);
  }
}

async function completedByType(client: pg.Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ type: string; completed: string }>(
    `select type, count(*) as completed from transactions where status = 'completed' group by type`,
  );
  return new Map(rows.map(({ type, completed }) => [type, Number(completed)]));
}

async function balances(client: pg.Client): Promise<{ total: bigint; bank: bigint }> {
  const { rows } = await client.query<{ total: string; bank: string }>(
    `select sum(balance) as total, sum(balance) filter (where id = $1) as bank from accounts`,
    [systemAccountId(0, '@bank', CURRENCY)],
  );
  return { total: BigInt(rows[0]!.total), bank: BigInt(rows[0]!.bank) };
}
