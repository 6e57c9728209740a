import { opsCommand } from '../../cli/ops';
import { actOnEach } from '../../cli/ops/act';
import { bar, counts } from '../../cli/ops/screen';
import { opsSettings } from '../../cli/ops/settings';
import { table } from '../../cli/ops/table';

const nowhere = { HOLDFAST_DATA_DIR: '/nonexistent', HOLDFAST_ENV: 'production' };

describe('who asks whom', () => {
  test('a token, or a user with a password, as they are given', () => {
    const url = { ...nowhere, HOLDFAST_URL: 'https://wallet.example.com/' };
    const user = { HOLDFAST_USER: 'olivia', HOLDFAST_PASSWORD: 'secret' };
    expect(opsSettings({ ...url, ...user })).toEqual({
      url: 'https://wallet.example.com',
      credentials: { username: 'olivia', password: 'secret' },
    });
    expect(opsSettings({ ...url, ...user, HOLDFAST_TOKEN: 't' }).credentials).toEqual({ token: 't' });
    expect(() => opsSettings({ ...url, HOLDFAST_USER: 'olivia' })).toThrow(/mistake/);
    expect(() => opsSettings({ ...url, ...user, HOLDFAST_URL: 'wallet.example.com' })).toThrow(/mistake/);
  });

  test('the demo’s own, only on this machine and never in production', () => {
    const local = { HOLDFAST_DATA_DIR: '/nonexistent' };
    const demo = { username: 'ops', password: 'ops-demo' };
    expect(opsSettings({ ...local, PORT: '3001' })).toEqual({ url: 'http://127.0.0.1:3001', credentials: demo });
    expect(() => opsSettings({ ...local, HOLDFAST_URL: 'https://wallet.example.com' })).toThrow('who you are');
    expect(() => opsSettings({ ...nowhere })).toThrow('who you are');
  });
});

describe('a table', () => {
  test('aligns its columns, numbers to the right', () => {
    const rows = [
      ['a', '1.00', 'x'],
      ['bbb', '10.00', ''],
    ];
    expect(table(['ID', 'AMOUNT', ''], rows, { right: [1] })).toBe('ID   AMOUNT\na      1.00  x\nbbb   10.00');
  });

  test('lets nobody’s text move the cursor', () => {
    expect(table(['ID'], [['a\u001b[2Jb\nc\u202ed']])).toBe('ID\na [2Jb c d');
  });
});

describe('progress', () => {
  const written = (draw: (write: (text: string) => void) => { at(done: number): void; end(): void }, total: number) => {
    const texts: string[] = [];
    const progress = draw((text) => texts.push(text));
    for (let done = 1; done <= total; done++) progress.at(done);
    progress.end();
    return texts;
  };

  test('is a bar that fills on a terminal', () => {
    const texts = written((write) => bar('retry', 3, write), 3);
    expect(texts).toHaveLength(5);
    expect(texts[0]).toBe(`\rretry [${'.'.repeat(30)}] 0/3`);
    expect(texts[3]).toBe(`\rretry [${'#'.repeat(30)}] 3/3`);
  });

  test('is ten lines at most in a log', () => {
    const texts = written((write) => counts('retry', 1_000, write), 1_000);
    expect(texts).toHaveLength(10);
    expect(texts.at(-1)).toBe('retry: 1000/1000\n');
    expect(written((write) => counts('retry', 3, write), 3)).toHaveLength(3);
  });
});

test('of many, so many are asked for at a time, each once', async () => {
  let [running, most] = [0, 0];
  const ids = Array.from({ length: 100 }, (_, n) => String(n));
  const done: number[] = [];
  const act = async (id: string) => {
    most = Math.max(most, ++running);
    await new Promise((resume) => setTimeout(resume, 1));
    running -= 1;
    return { id, done: true, outcome: 'pending' };
  };
  const results = await actOnEach(ids, act, { atOnce: 7, onDone: (count) => done.push(count) });
  expect(most).toBe(7);
  expect(new Set(results.map(({ id }) => id))).toEqual(new Set(ids));
  expect(done).toEqual(ids.map((_, n) => n + 1));
});

describe('holdfast ops', () => {
  /** What commander says and does of arguments, without running anything. */
  const parse = (...args: string[]) => {
    let said = '';
    const ops = opsCommand(nowhere, () => undefined);
    const all = (command: typeof ops): (typeof ops)[] => [command, ...command.commands.flatMap(all)];
    for (const command of all(ops)) {
      command
        .exitOverride()
        .configureOutput({ writeOut: (text) => (said += text), writeErr: (text) => (said += text) });
    }
    try {
      ops.parse(args, { from: 'user' });
    } catch (error) {
      return { said, code: (error as { exitCode: number }).exitCode };
    }
    throw new Error('it went on');
  };

  test.each(['list', 'show', 'retry', 'cancel', 'resolve', 'approve', 'reject', 'inbox'])(
    '%s explains itself',
    (name) => {
      const { said, code } = parse(name, '--help');
      expect(code).toBe(0);
      expect(said).toContain(`ops ${name}`);
      expect(said.length).toBeGreaterThan(150);
    },
  );

  test.each([
    ['list', '--type', 'gift'],
    ['list', '--limit', '0'],
    ['list', '--since', 'yesterday'],
    ['show'],
    ['resolve', 'tx_0_a', '--note', 'why'],
    ['resolve', 'tx_0_a', '--outcome', 'completed'],
    ['retry', '--at-once', '1000', '--all'],
    ['inbox', 'resolve', 'evt'],
  ])('refuses %s %s %s', (...args) => {
    const { said, code } = parse(...args);
    expect(code).toBe(1);
    expect(said).toMatch(/^error: /);
  });
});
