import type { WorkflowBundle } from '@temporalio/worker';
import { bundleOf, committedHistories, quietRuntime, replay } from '../support/replay';

const histories = committedHistories();
let current: WorkflowBundle;
let changed: WorkflowBundle;
beforeAll(async () => {
  quietRuntime();
  current = await bundleOf(require.resolve('../../workflows'));
  changed = await bundleOf(require.resolve('../support/changed-workflows'));
});

test('there is a history of each way a workflow can go', () => {
  expect(histories.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'group-splitting-out',
      'group-straight-through',
      'group-with-fallback',
      'notify-idle',
      'notify-telling',
      'sweep',
      'transfer-attention-then-retry',
      'transfer-cancel-too-late',
      'transfer-cancelled',
      'transfer-cancelled-while-retrying',
    ]),
  );
});

describe.each(histories)('a workflow that went as in $name.json', ({ json }) => {
  test('can go on under the workflows of today', async () => {
    await expect(replay(current, json)).resolves.toBeUndefined();
  });

  test('would be stopped by workflows that do something else', async () => {
    await expect(replay(changed, json)).rejects.toThrow('nondeterminism error');
  });
});
