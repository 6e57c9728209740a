import * as workflows from '../../workflows';
import * as changedWorkflows from '../support/changed-workflows';
import { readHistory } from '../support/history-json';
import { decoded } from '../support/record-histories';
import { bundleOf, committedHistories, quietRuntime, replay } from '../support/replay';
import { workflowBundle } from '../support/workflow-bundle';

const histories = committedHistories();
/** What went wrong with each, under the workflows of today and under others. */
let current: Record<string, string>;
let traced: Record<string, string>;
let changed: Record<string, string>;
beforeAll(async () => {
  quietRuntime();
  current = await replay(await workflowBundle(), histories);
  traced = await replay(await workflowBundle({ areSealed: false, areTraced: true }), histories);
  changed = await replay(await bundleOf(require.resolve('../support/changed-workflows')), histories);
});

test('there is a history of each workflow, and each would notice a careless change', () => {
  const recorded = new Set(histories.map(({ json }) => workflowTypeOf(json)));
  const names = Object.keys(workflows).sort();
  expect([...recorded].sort()).toEqual(names);
  expect(Object.keys(changedWorkflows).sort()).toEqual(names);
});

describe.each(histories)('a workflow that went as in $name.json', ({ name, json }) => {
  test('can go on under the workflows of today', () => {
    expect(current[name]).toBeUndefined();
  });

  test('can go on where traces are kept', () => {
    expect(traced[name]).toBeUndefined();
  });

  test('would be stopped by workflows that do something else', () => {
    expect(changed[name]).toContain('nondeterminism error');
  });

  test('holds nothing personal in the clear, and nothing of the machine it was recorded on', () => {
    const all = `${json}\n${decoded(readHistory(json))}`;
    const text = all.replaceAll('@temporalio/worker@', ''); // the SDK names its build so
    for (const secret of [
      /Personal|Holder/,
      /12345678/,
      /\w@\w+\.\w/,
      /private message/,
      /"\/(root|home|work|tmp)\//,
    ]) {
      expect(text).not.toMatch(secret);
    }
    for (const [, identity] of text.matchAll(/"identity":\s*"([^"]*)"/g)) expect(identity).toBe('recorder');
  });
});

function workflowTypeOf(json: string): string {
  return /"workflowType":\s*\{\s*"name":\s*"([^"]+)"/.exec(json)![1]!;
}
