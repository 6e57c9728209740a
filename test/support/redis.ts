import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { freePort } from '../../cli/embedded/ports';
import { exitOf } from '../../cli/embedded/processes';
import { eventually } from './eventually';

// Jest finds guard.mjs where the code means guard.ts: `moduleFileExtensions` with ts first would do instead of this.
jest.mock('../../cli/embedded/guard', (): unknown => jest.requireActual('../../cli/embedded/guard.ts'));

const program = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
export const hasRedis = program !== undefined;

/** A real Redis, or Valkey, that keeps nothing on disk. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(private readonly port: number) {}

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort());
    await server.comeBack();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async comeBack(): Promise<void> {
    const settings = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.child = spawn(program!, settings, { stdio: 'ignore' });
    guardChild(this.child.pid!, 'SIGKILL');
    await eventually(() => this.answers(), { withinMs: 20_000 });
  }

  /** It is there and says nothing. */
  freeze(): void {
    this.child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.child!.kill('SIGCONT');
  }

  async goAway(): Promise<void> {
    const child = this.child;
    if (!child) return;
    this.child = undefined;
    const exited = exitOf(child);
    child.kill('SIGKILL'); // one that is frozen, too
    await exited;
    forgetChild(child.pid!);
  }

  private answers(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.once('error', reject);
      socket.once('data', () => {
        socket.end();
        resolve();
      });
    });
  }
}
