// Stops servers whose starter vanished. A starter that is killed with SIGKILL can't stop its own children, and Node
// can't ask Linux to do it; so it tells this small process about them, and the end of the pipe tells it the rest.
// Lines on stdin: "watch <pid> <SIGNAL> <start token>" and "forget <pid>". See processes.ts for the start token.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 10_000;
const watched = new Map();

function startedAt(pid) {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim();
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

async function stop(pid, { signal, started }) {
  const running = () => startedAt(pid) === started;
  for (const [name, waitMs] of [
    [signal, WAIT_MS],
    ['SIGKILL', 0],
  ]) {
    if (!running()) return;
    try {
      process.kill(pid, name);
    } catch {
      return;
    }
    for (const until = Date.now() + waitMs; Date.now() < until && running();) await sleep(50);
  }
}

// The starter's own Ctrl-C is not ours: it stops its children in order, then closes the pipe.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [verb, pid, signal, ...started] = line.split(' ');
  if (verb === 'watch') watched.set(Number(pid), { signal, started: started.join(' ') });
  else if (verb === 'forget') watched.delete(Number(pid));
}
// Newest first: what was started last leans on what was started before.
for (const [pid, how] of [...watched].reverse()) await stop(pid, how);
