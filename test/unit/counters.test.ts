import { inProcess, take } from '../../api/counters';

test('who makes keys up has the oldest forgotten, and only those', async () => {
  const counter = inProcess().open({ name: 'made_up', points: 1, seconds: 600 });
  for (let n = 0; n <= 50_000; n += 1) await take(counter, `key ${n}`);
  expect((await take(counter, 'key 50000')).isRefused).toBe(true);
  expect((await take(counter, 'key 1')).isRefused).toBe(true);
  expect((await take(counter, 'key 0')).isRefused).toBe(false);
});
