import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { packageRoot } from '../../cli/embedded/package-root';
import { freePort } from '../../cli/embedded/ports';
import { exitOf } from '../../cli/embedded/processes';
import { ask } from './http';

export const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;

interface PrometheusConfig {
  global: Record<string, string>;
  scrape_configs: { job_name: string; dns_sd_configs?: unknown; static_configs?: { targets: string[] }[] }[];
}

interface FiringAlert {
  state: 'pending' | 'firing';
  labels: Record<string, string>;
}

/** Prometheus with the rules of deploy/, in a hurry: what waits for minutes there waits for seconds here. */
export class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(folder: string, targets: Record<string, string[]>): Promise<Prometheus> {
    const home = path.join(folder, 'prometheus');
    mkdirSync(home, { recursive: true });
    cpSync(path.join(packageRoot(), 'deploy/prometheus'), home, { recursive: true });
    hurry(home, targets);
    const port = await freePort();
    const log = openSync(path.join(folder, 'prometheus.log'), 'a');
    const child = spawn(
      'prometheus',
      [
        `--config.file=${path.join(home, 'prometheus.yml')}`,
        `--storage.tsdb.path=${path.join(home, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    guardChild(child.pid!, 'SIGKILL');
    return new Prometheus(`http://127.0.0.1:${port}`, child);
  }

  /** Those that fire now, each with what it is about. */
  async firing(): Promise<string[]> {
    const { body } = await ask(`${this.url}/api/v1/alerts`);
    const { alerts } = body.data as { alerts: FiringAlert[] };
    const about = ({ alertname, shard, type }: Record<string, string>) =>
      [alertname, shard && `shard ${shard}`, type].filter(Boolean).join(' ');
    return alerts.flatMap(({ state, labels }) => (state === 'firing' ? [about(labels)] : [])).sort();
  }

  async value(query: string): Promise<number | undefined> {
    const { body } = await ask(`${this.url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const [first] = (body.data as { result: { value: [number, string] }[] }).result;
    return first && Number(first.value[1]);
  }

  async stop(): Promise<void> {
    const exited = exitOf(this.child);
    this.child.kill('SIGKILL');
    await exited;
    forgetChild(this.child.pid!);
  }
}

function hurry(home: string, targets: Record<string, string[]>): void {
  const file = path.join(home, 'prometheus.yml');
  const config = parse(readFileSync(file, 'utf8')) as PrometheusConfig;
  config.global = { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' };
  config.scrape_configs = config.scrape_configs.map(({ job_name }) => ({
    job_name,
    static_configs: [{ targets: targets[job_name]! }],
  }));
  writeFileSync(file, stringify(config));
  for (const name of readdirSync(path.join(home, 'rules'))) {
    const rules = path.join(home, 'rules', name);
    const text = readFileSync(rules, 'utf8')
      .replaceAll(/for: \d+[mh]/g, 'for: 4s')
      .replaceAll('[5m]', '[20s]');
    writeFileSync(rules, text);
  }
}
