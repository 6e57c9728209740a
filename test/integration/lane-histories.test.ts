import pino from 'pino';
import { TRACE_HEADER } from '../../contracts/tracing';
import { logChannel } from '../../notifications/log-channel';
import { TestHoldfast } from '../support/holdfast';
import { eventually } from '../support/eventually';
import { decoded, recordHistories } from '../support/record-histories';
import { committedHistories, eventTypes, keepNew, replay } from '../support/replay';
import { Trouble } from '../support/trouble';
import { workflowBundle } from '../support/workflow-bundle';

let holdfast: TestHoldfast;
let recorded: Record<string, string>;
beforeAll(async () => {
  const channels = [logChannel(pino({ level: 'silent' }), ['ops', 'user'])];
  holdfast = await TestHoldfast.start({ patienceMs: 20_000, channels });
  recorded = await recordHistories(holdfast, await Trouble.in(holdfast.database));
  keepNew(recorded);
});
afterAll(() => holdfast.close());

test('every way a workflow can go has its history committed', () => {
  const committed = committedHistories().map(({ name }) => name);
  expect(committed).toEqual(expect.arrayContaining(Object.keys(recorded)));
});

test('what workflows do today can be replayed', async () => {
  const histories = Object.entries(recorded).map(([name, json]) => ({ name, json }));
  expect(await replay(await workflowBundle(), histories)).toEqual({});
});

test('each history shows the way that it is named for', () => {
  const types = (name: string) => eventTypes(recorded[name]!);
  const scheduled = 'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED';
  expect(types('group-straight-through')).not.toContain(scheduled);
  expect(types('group-straight-through')).toContain('EVENT_TYPE_MARKER_RECORDED');
  expect(types('group-with-fallback')).toContain(scheduled);
  expect(types('group-splitting-out')).toContain('EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED');
  expect(types('transfer-attention-then-retry')).toContain('EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED');
  expect(types('transfer-cancelled-while-retrying')).toContain('EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED');
  for (const name of Object.keys(recorded)) expect(types(name)).toContain('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
});

test('without tracing a history says nothing of it', () => {
  expect(Object.values(recorded).filter((json) => json.includes(TRACE_HEADER))).toEqual([]);
});

test('Temporal holds no name, e-mail or message of anybody, in histories, memos or search attributes', async () => {
  const { client } = holdfast.outside;
  await eventually(async () => expect((await client.workflow.count()).count).toBeGreaterThan(10));
  const seen: string[] = [];
  for await (const found of client.workflow.list()) {
    const handle = client.workflow.getHandle(found.workflowId, found.runId);
    seen.push(decoded(await handle.fetchHistory()), decoded((await handle.describe()).raw));
  }
  const all = seen.join('\n');
  expect(all).toMatch(/"amountMinor":"500"/); // what is looked through is really there
  expect(all).toMatch(/"messageSealed":"s2\./);
  for (const personal of ['a private message', 'Personal Name', 'example.com', 'recorded_', '.SGD"']) {
    expect({ personal, found: all.includes(personal) }).toEqual({ personal, found: false });
  }
});
