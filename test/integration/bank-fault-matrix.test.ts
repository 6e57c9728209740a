import pg from 'pg';
import { FAULTS } from '../../bank/simulator/faults';
import { valueTypes } from '../../ledger/postgres';
import { verifyShard } from '../../ledger/verify';
import type { TestUser } from '../support/api';
import { BANK_SECRET, TestBank } from '../support/bank';
import { differencesFromBank } from '../support/bank-books';
import { eventually } from '../support/eventually';
import { faultRows, typesOf, type FaultRow, type PaymentType } from '../support/fault-rows';
import { sumsAreConserved } from '../support/final-checks';
import { TestHoldfast } from '../support/holdfast';
import { PaymentDesk, type PlannedPayment } from '../support/payment-desk';

const OPENING = '10.00';
const AMOUNT = '3.00';
const AMOUNT_MINOR = 300n;
const AT_ONCE = 30;
/** Rows run beside each other, on a machine that may have other work. */
const PATIENTLY = { withinMs: 45_000, everyMs: 200 };

interface Case {
  name: string;
  row: FaultRow;
  type: PaymentType;
  user: TestUser;
  payment: PlannedPayment;
}

const names = faultRows.flatMap((row) => typesOf(row).map((type) => ({ name: nameOf(row, type), row, type })));

let bank: TestBank;
let holdfast: TestHoldfast;
let desk: PaymentDesk;
let db: pg.Client;
const cases = new Map<string, Case>();
/** What went wrong with a row while all of them ran beside each other. */
const failures = new Map<string, unknown>();

beforeAll(async () => {
  bank = await TestBank.start({ settleAfterMs: 300 });
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(1_000),
    payments: { attentionAfterMs: 12_000, pollFirstMs: 200, pollMaxMs: 500, settleWithinMs: 5_000 },
  });
  const webhook = { url: `${holdfast.api.url}/v1/bank/webhooks`, secret: BANK_SECRET };
  await bank.stop();
  await bank.startAgain({ webhook });
  desk = await PaymentDesk.open(holdfast);
  db = new pg.Client({ connectionString: holdfast.database.appUrl, types: valueTypes });
  await db.connect();

  const prepare = async ({ name, row, type }: (typeof names)[number], index: number) => {
    const user = await holdfast.api.newUser(`row_${index}`, { wallets: ['SGD'] });
    await holdfast.api.fund(user.username, 'SGD', OPENING);
    cases.set(name, { name, row, type, user, payment: await desk.plan(type, user, AMOUNT) });
  };
  await Promise.all(names.map(prepare));
  const faults = [...cases.values()].flatMap(({ row, payment }) =>
    row.faults.map((fault) => ({ ...fault, reference: payment.id })),
  );
  await bank.control.setFaults(faults);
  await forEachCase(meetsItsFaults);
  await bank.control.setFaults([]);
  await forEachCase(ends);
}, 180_000);

afterAll(async () => {
  await db?.end();
  await holdfast?.close();
  await bank?.close();
});

async function forEachCase(work: (each: Case) => Promise<void>): Promise<void> {
  const left = [...cases.values()].filter(({ name }) => !failures.has(name)).values();
  const turns = async () => {
    for (const each of left) await work(each).catch((error: unknown) => void failures.set(each.name, error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, turns));
}

async function meetsItsFaults({ row, payment }: Case): Promise<void> {
  await desk.begin(payment);
  if (row.cancelWhen) {
    await requestIs(payment.id, row.cancelWhen);
    await desk.cancel(payment);
  }
  if (row.waits) {
    await comesTo(payment.id, { status: 'needs_attention', reason: row.waits.reason });
  } else {
    await comesTo(payment.id, endOf(row));
  }
}

async function ends({ row, payment }: Case): Promise<void> {
  if (row.waits) await desk.act(payment, row.waits.then);
  await comesTo(payment.id, endOf(row));
  if (!row.reversed) return;
  await eventually(async () => expect(await reversalsOf(payment.id)).toEqual(['completed']), PATIENTLY);
}

const endOf = ({ ends: status, reason }: FaultRow) => ({ status, reason: reason ?? null });

async function comesTo(id: string, standing: { status: string; reason: string | null }): Promise<void> {
  const isThere = async () => {
    const { status, reason } = (await holdfast.row(id))!;
    expect({ status, reason }).toEqual(standing);
  };
  await eventually(isThere, PATIENTLY);
}

async function requestIs(id: string, state: string): Promise<void> {
  await eventually(async () => {
    const { rows } = await db.query('select state from bank_requests where transaction_id = $1', [id]);
    expect(rows).toEqual([{ state }]);
  }, PATIENTLY);
}

async function reversalsOf(id: string): Promise<string[]> {
  const text = `select status from transactions where linked_to = $1 and type = 'reversal'`;
  return (await db.query<{ status: string }>(text, [id])).rows.map(({ status }) => status);
}

const inboxOf = async (id: string) =>
  (
    await db.query<{ reason: string }>(
      `select reason from bank_inbox where transaction_id = $1 and status = 'needs_attention'`,
      [id],
    )
  ).rows.map(({ reason }) => reason);

/** What the bank moved for a row that the books don't have; people know of it, or the table says who will tell them. */
function movedBesides({ row, type }: Case): bigint {
  if (row.besides === 'second settlement, in the inbox') return type === 'deposit' ? AMOUNT_MINOR : -AMOUNT_MINOR;
  return row.besides === 'return, on the statement' ? AMOUNT_MINOR : 0n;
}

function balanceAfter({ row, type }: Case): string {
  if (row.ends !== 'completed' || row.reversed) return OPENING;
  return type === 'deposit' ? '13.00' : '7.00';
}

function nameOf({ step, what }: FaultRow, type: PaymentType): string {
  return `${type}, ${step}: ${what}`;
}

test.each(names.map(({ name }) => name))('%s', async (name) => {
  if (failures.has(name)) throw failures.get(name) as Error;
  const each = cases.get(name)!;
  const { row, user, payment } = each;
  expect(await holdfast.balance(user)).toBe(balanceAfter(each));
  expect(await reversalsOf(payment.id)).toEqual(row.reversed ? ['completed'] : []);
  const { rows: holds } = await db.query(`select from holds where transaction_id = $1 and status = 'held'`, [
    payment.id,
  ]);
  expect(holds).toEqual([]);
  const differences = await differencesFromBank([db], bank.control);
  expect(differences[payment.id] ?? 0n).toBe(movedBesides(each));
  expect(await inboxOf(payment.id)).toEqual(
    row.besides === 'second settlement, in the inbox' ? ['double_settlement'] : [],
  );
});

test('bank and books differ by nothing else, nothing is held or pending, and the chain verifies', async () => {
  const besides = [...cases.values()].map((each) => [each.payment.id, movedBesides(each)] as const);
  expect(await differencesFromBank([db], bank.control)).toEqual(
    Object.fromEntries(besides.filter(([, amount]) => amount !== 0n)),
  );
  const { rows: open } = await db.query('select id, status from transactions where completed_at is null');
  expect(open).toEqual([]);
  await sumsAreConserved([db]);
  expect((await verifyShard(holdfast.shards.shard(0).db)).findings).toEqual([]);
});

test('every fault that the bank knows has its rows', () => {
  const shown = new Set(faultRows.flatMap(({ faults }) => faults.map(({ name }) => name)));
  expect([...shown].sort()).toEqual(Object.keys(FAULTS).sort());
});
