import { MIGRATIONS } from '../../migrations';
import { tooNewFor } from '../../migrations/compatibility';

test('code runs on what later migrations leave, but for those that say since when one can', () => {
  const later = ['0009-add', '0010-use', '0011-drop-since-0010', '0012-add'];
  expect(tooNewFor('0012-add', later)).toEqual([]);
  expect(tooNewFor('0010-use', later)).toEqual([]);
  expect(tooNewFor('0009-add', later)).toEqual(['0011-drop-since-0010']);
  expect(tooNewFor('0008-snapshots', ['0009-add', '0010-use'])).toEqual([]);
});

test('a migration that says since when code can run on it names one before it', () => {
  for (const [index, name] of MIGRATIONS.entries()) {
    expect(name).toMatch(/^\d{4}-/);
    const since = /-since-(\d{4})$/.exec(name)?.[1];
    if (since !== undefined) expect(MIGRATIONS.slice(0, index).map((each) => each.slice(0, 4))).toContain(since);
  }
});
