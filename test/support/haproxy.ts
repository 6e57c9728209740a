import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { packageRoot } from '../../cli/embedded/package-root';
import { freePort } from '../../cli/embedded/ports';
import { exitOf } from '../../cli/embedded/processes';
import { ask } from './http';
import { until } from './stack';

export const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;

/** A real HAProxy with the rules of the compose file, before API processes of this machine. */
export class Haproxy {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(folder: string, apis: string[]): Promise<Haproxy> {
    const [port, health] = [await freePort(), await freePort()];
    const file = path.join(folder, 'haproxy.cfg');
    const servers = apis.map((url, index) => `  server api-${index} ${new URL(url).host}`).join('\n');
    const rules = readFileSync(path.join(packageRoot(), 'deploy/haproxy/haproxy.cfg'), 'utf8')
      .replace('bind :8080', `bind 127.0.0.1:${port}`)
      .replace('127.0.0.1:8404', `127.0.0.1:${health}`)
      .replace(/^ {2}server-template .*$/m, servers);
    writeFileSync(file, rules);
    const log = openSync(path.join(folder, 'haproxy.log'), 'a');
    const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', log, log] });
    closeSync(log);
    if (child.pid !== undefined) guardChild(child.pid, 'SIGKILL');
    const proxy = new Haproxy(`http://127.0.0.1:${port}`, child);
    await until('the proxy to answer', async () => {
      const answer = await ask(`${proxy.url}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });
    return proxy;
  }

  async stop(): Promise<void> {
    const exited = exitOf(this.child);
    this.child.kill('SIGKILL');
    await exited;
    if (this.child.pid !== undefined) forgetChild(this.child.pid);
  }
}
