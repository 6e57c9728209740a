import { setTimeout as sleep } from 'node:timers/promises';
import { Gathering } from '../../api/lane/gathering';

function gathering() {
  let over = 0;
  const of = new Gathering(() => (over += 1));
  return { of, timesOver: () => over };
}

test('after a group of one, nothing waits', () => {
  const { of } = gathering();
  of.begin(1, 1_000);
  expect(of.isOn).toBe(false);
});

test('after a larger group the next waits until all are back', () => {
  const { of } = gathering();
  of.begin(2, 1_000);
  expect(of.isOn).toBe(true);
  of.arrive();
  expect(of.isOn).toBe(true);
  of.arrive();
  expect(of.isOn).toBe(false);
});

test('who never comes back is not waited for, and the lane is told', async () => {
  const { of, timesOver } = gathering();
  of.begin(2, 10);
  of.arrive();
  while (timesOver() === 0) await sleep(1);
  expect(of.isOn).toBe(false);
});

test('a pause in vain is not repeated for a while', async () => {
  const { of, timesOver } = gathering();
  of.begin(10, 10);
  while (timesOver() === 0) await sleep(1);
  for (let group = 0; group < 16; group++) {
    of.begin(10, 10);
    expect(of.isOn).toBe(false);
  }
  of.begin(10, 1_000);
  expect(of.isOn).toBe(true);
});
