import type { WorkflowBundle } from '@temporalio/worker';
import * as workflows from '../../workflows';
import * as changedWorkflows from '../support/changed-workflows';
import { readHistory } from '../support/history-json';
import { decoded } from '../support/record-histories';
import { bundleOf, committedHistories, quietRuntime, replay } from '../support/replay';

const histories = committedHistories();
let current: WorkflowBundle;
let traced: WorkflowBundle;
let changed: WorkflowBundle;
beforeAll(async () => {
  quietRuntime();
  current = await bundleOf(require.resolve('../../workflows'));
  traced = await bundleOf(require.resolve('../../workflows'), [require.resolve('../../workflows/tracing')]);
  changed = await bundleOf(require.resolve('../support/changed-workflows'));
});

test('there is a history of each workflow, and each would notice a careless change', () => {
  const recorded = new Set(histories.map(({ json }) => workflowTypeOf(json)));
  const names = Object.keys(workflows).sort();
  expect([...recorded].sort()).toEqual(names);
  expect(Object.keys(changedWorkflows).sort()).toEqual(names);
});

describe.each(histories)('a workflow that went as in $name.json', ({ json }) => {
  test('can go on under the workflows of today', async () => {
    await expect(replay(current, json)).resolves.toBeUndefined();
  });

  test('can go on where traces are kept', async () => {
    await expect(replay(traced, json)).resolves.toBeUndefined();
  });

  test('would be stopped by workflows that do something else', async () => {
    await expect(replay(changed, json)).rejects.toThrow('nondeterminism error');
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
