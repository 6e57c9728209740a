import { searchAttributes } from '../../contracts/transfers';
import type { NewFault } from '../../bank/simulator/faults';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { Payments } from '../support/payment-runs';
import { chromiumPath, WebUi } from '../support/web-ui';

const chromium = chromiumPath();
if (chromium === undefined) {
  process.stderr.write(
    'No Chromium was found, so no screenshots are taken: install it, or say where it is in CHROMIUM.\n',
  );
}
const withChromium = chromium === undefined ? test.skip : test;

let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let user: TestUser;
let ui: WebUi;

beforeAll(async () => {
  if (chromium === undefined) return;
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(400),
    payments: { attentionAfterMs: 3_000, pollFirstMs: 500, pollMaxMs: 500, settleWithinMs: 1_000 },
  });
  payments = new Payments(holdfast);
  [user] = await holdfast.pair('customer', '1000.00');
  ui = await WebUi.open(chromium, holdfast.outside.namespace!);
});
afterAll(async () => {
  if (chromium === undefined) return;
  await ui.close();
  await holdfast.close();
  await bank.close();
});

async function stuck(type: 'deposit' | 'withdrawal', reason: string, fault: NewFault): Promise<TransactionFacts> {
  await bank.control.setFaults([fault]);
  const facts = await payments.begin(type, user, 12_500n);
  await payments.becomes(facts, 'needs_attention', reason);
  return facts;
}

async function picture(facts: TransactionFacts, name: string, text: string): Promise<void> {
  await ui.showWorkflow(payments.handleOf(facts).workflowId);
  await ui.picture(name, text);
}

withChromium('what a stuck payment looks like in the Web UI', async () => {
  const unsettled = await stuck('withdrawal', 'not_settled', { name: 'never_settles' });
  await picture(unsettled, 'not-settled', 'not_settled');
  const mismatched = await stuck('deposit', 'amount_mismatch', { name: 'amount_mismatch' });
  await picture(mismatched, 'amount-mismatch', 'amount_mismatch');
  const waiting = await payments.begin('withdrawal', user, 50_000n, { status: 'awaiting_approval' });
  await picture(waiting, 'awaiting-approval', 'awaiting_approval');
  const unreachable = await stuck('withdrawal', 'bank_not_answering', { name: 'outage' });
  await picture(unreachable, 'bank-not-answering', 'bank_not_answering');
  await ui.showSendSignal();
  await ui.picture('send-signal', 'Signal');

  const query = `${searchAttributes.status} = "needs_attention"`;
  await eventually(async () => expect((await holdfast.outside.client.workflow.count(query)).count).toBe(3));
  await ui.showWorkflows(query);
  await ui.picture('list', 'withdrawal/');
});
