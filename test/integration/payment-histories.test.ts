import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { TestHoldfast } from '../support/holdfast';
import { decoded } from '../support/record-histories';
import { PaymentRecorder } from '../support/record-payment-histories';
import { committedHistories, eventTypes, keepNew, replay } from '../support/replay';
import { Wire } from '../support/wire';
import { workflowBundle } from '../support/workflow-bundle';

let bank: TestBank;
let holdfast: TestHoldfast;
let postgres: Wire;
let recorded: Record<string, string>;
beforeAll(async () => {
  bank = await TestBank.start();
  const settings = { attentionAfterMs: 1_500, pollFirstMs: 60_000 };
  const databaseUrl = async ({ appUrl }: { appUrl: string }) => (postgres = await Wire.to(appUrl)).urlOf(appUrl);
  holdfast = await TestHoldfast.start({ rail: bank.hastyRail(1_000), payments: settings, databaseUrl });
  const ops = (name: string) => holdfast.api.newUser(name, { roles: ['ops'], name: 'Personal Name' });
  const [user] = await holdfast.pair('recorded');
  const staff: [TestUser, TestUser] = [await ops('olivia'), await ops('omar')];
  recorded = await new PaymentRecorder(holdfast, bank, staff, user, postgres).record();
  keepNew(recorded);
});
afterAll(async () => {
  await holdfast.close();
  await postgres.close();
  await bank.close();
});

test('every way a payment can go has its history committed', () => {
  const committed = committedHistories().map(({ name }) => name);
  expect(committed).toEqual(expect.arrayContaining(Object.keys(recorded)));
});

test('what payments do today can be replayed', async () => {
  const histories = Object.entries(recorded).map(([name, json]) => ({ name, json }));
  expect(await replay(await workflowBundle(), histories)).toEqual({});
});

test('each history shows the way that it is named for', () => {
  const signalled = 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED';
  for (const [name, json] of Object.entries(recorded)) {
    const types = eventTypes(json);
    expect(types.at(-1)).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
    const isTold = /webhook|retry|cancelled|approved|resolved|away/.test(name);
    expect({ name, isTold: types.includes(signalled) }).toEqual({ name, isTold });
  }
});

test('Temporal holds no name, account number or e-mail of anybody', async () => {
  const { client } = holdfast.outside;
  const seen: string[] = [];
  for await (const found of client.workflow.list()) {
    const handle = client.workflow.getHandle(found.workflowId, found.runId);
    seen.push(decoded(await handle.fetchHistory()), decoded((await handle.describe()).raw));
  }
  const all = seen.join('\n');
  expect(all).toContain('needs_attention'); // what is looked through is really there
  for (const personal of ['Personal Name', '12345678', 'example.com', 'recorded_', 'olivia', '.SGD"']) {
    expect({ personal, found: all.includes(personal) }).toEqual({ personal, found: false });
  }
});
