import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { UserError } from '../user-error';
import { commandLine } from './processes';

/** Below those that systems give to outgoing connections: one of those would hold a port of ours while a server restarts. */
const PICKED_FROM = { first: 15_000, last: 32_000 };

/** A port nobody listens on now. Another program may take it before we do; the caller's start then fails and says so. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(PICKED_FROM.first, PICKED_FROM.last + 1);
    if (await isPortFree(port, host)) return port;
  }
}

export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Who listens on a port, as far as Linux lets us see; undefined elsewhere, or when it is another user's process. */
export function portOwner(port: number): { pid: number; command: string } | undefined {
  try {
    const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
    const inodes = new Set(
      ['/proc/net/tcp', '/proc/net/tcp6']
        .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[3] === '0A' && fields[1]?.endsWith(`:${hexPort}`))
        .map((fields) => `socket:[${fields[9]}]`),
    );
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (openFiles(pid).some((file) => inodes.has(file)))
        return { pid: Number(pid), command: commandLine(Number(pid)) };
    }
  } catch {
    // Not Linux, or no right to look: we do without the name.
  }
  return undefined;
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

/** Refuses with one sentence when a port is taken: who has it, and which variable changes it. */
export async function requireFreePort(use: {
  port: number;
  what: string;
  variable: string;
  host?: string;
}): Promise<void> {
  if (await isPortFree(use.port, use.host)) return;
  const owner = portOwner(use.port);
  const holdfast = owner !== undefined && /holdfast|dist.cli.main\.js/i.test(owner.command);
  const who =
    owner === undefined
      ? 'another program'
      : `${holdfast ? 'another Holdfast' : 'another program'} (pid ${owner.pid}: ${shorten(owner.command)})`;
  throw new UserError(
    `Port ${use.port}, meant for ${use.what}, is in use by ${who}.`,
    `Stop that program, or choose another port: ${use.variable}=<port> (0 picks a free one).`,
  );
}

function shorten(text: string): string {
  return text.length > 90 ? `${text.slice(0, 87)}...` : text;
}
