import { setTimeout as sleep } from 'node:timers/promises';
import type { Exit } from '../../cli/embedded/processes';
import { Supervisor, type Running } from '../../cli/supervisor';

/** A service whose deaths the test decides. */
class Puppet {
  name = 'puppet' as const;
  starts: number[] = [];
  die: (exit: Exit) => void = () => {};
  refuse = false;

  start = async (): Promise<Running> => {
    this.starts.push(Date.now());
    if (this.refuse) throw new Error('no');
    const exited = new Promise<Exit>((resolve) => (this.die = resolve));
    return { pid: process.pid, exited, stop: async () => this.die({ code: 0, signal: null }) };
  };

  async started(count: number): Promise<void> {
    while (this.starts.length < count) await sleep(2);
  }

  pauses(): number[] {
    return this.starts.slice(1).map((at, index) => at - this.starts[index]!);
  }
}

function supervise(options: { stableAfterMs?: number } = {}) {
  const lines: string[] = [];
  const supervisor = new Supervisor<'puppet'>({
    say: (line) => lines.push(line),
    onChange: () => {},
    backoffMs: { first: 40, longest: 160 },
    ...options,
  });
  return { supervisor, lines };
}

const crash: Exit = { code: 1, signal: null };

test('a service that dies again and again is started after growing pauses, up to the longest', async () => {
  const { supervisor, lines } = supervise();
  const puppet = new Puppet();
  await supervisor.start(puppet);
  for (let deaths = 1; deaths <= 4; deaths += 1) {
    puppet.die(crash);
    await puppet.started(deaths + 1);
  }
  const expected = [40, 80, 160, 160];
  puppet.pauses().forEach((pause, index) => expect(pause).toBeGreaterThanOrEqual(expected[index]! - 2));
  expect(lines[0]).toMatch(/^puppet \(pid \d+\) ended: exit code 1; starting it again in 0.04 s$/);
  await supervisor.stop(['puppet']);
});

test('after a stable time the next death starts with the first pause again', async () => {
  const { supervisor, lines } = supervise({ stableAfterMs: 50 });
  const puppet = new Puppet();
  await supervisor.start(puppet);
  puppet.die(crash);
  await puppet.started(2);
  await sleep(80);
  puppet.die(crash);
  await puppet.started(3);
  expect(lines.filter((line) => line.includes('starting it again in 0.04 s'))).toHaveLength(2);
  await supervisor.stop(['puppet']);
});

test('a service that can not be started again is tried on, but one that fails the first time is an error', async () => {
  const { supervisor, lines } = supervise();
  const puppet = new Puppet();
  puppet.refuse = true;
  await expect(supervisor.start(puppet)).rejects.toThrow('no');

  puppet.refuse = false;
  await supervisor.start(puppet);
  puppet.refuse = true;
  puppet.die(crash);
  await puppet.started(4);
  puppet.refuse = false;
  await puppet.started(5);
  await sleep(5);
  expect(lines).toContainEqual(expect.stringContaining('puppet could not be started: no; starting it again'));
  expect(lines.at(-1)).toMatch(/^puppet runs again/);
  await supervisor.stop(['puppet']);
});

test('stopping ends the restarts, also one that is waiting for its turn', async () => {
  const { supervisor } = supervise();
  const puppet = new Puppet();
  await supervisor.start(puppet);
  puppet.die(crash);
  await sleep(5);
  await supervisor.stop(['puppet']);
  await sleep(100);
  expect(puppet.starts).toHaveLength(1);
});

test('what is only just starting when the stop comes is stopped too', async () => {
  const { supervisor } = supervise();
  let stopped = false;
  const start = async (): Promise<Running> => {
    await sleep(30);
    let die!: (exit: Exit) => void;
    const exited = new Promise<Exit>((resolve) => (die = resolve));
    return {
      pid: process.pid,
      exited,
      stop: async () => {
        stopped = true;
        die({ code: 0, signal: null });
      },
    };
  };
  const starting = supervisor.start({ name: 'puppet', start });
  await supervisor.stop(['puppet']);
  await starting;
  expect(stopped).toBe(true);
});
