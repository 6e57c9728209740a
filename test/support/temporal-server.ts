import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { packageRoot } from '../../cli/embedded/package-root';
import { freePort } from '../../cli/embedded/ports';
import { exitOf, identify, stopProcess } from '../../cli/embedded/processes';
import type { RunningTemporal } from '../../cli/embedded/temporal';
import { findTemporal } from '../../cli/embedded/temporal-cli';
import { answers } from '../../cli/embedded/temporal-client';
import { PostgresServer } from './postgres-server';
import { until, type StartTemporal } from './stack';
import { TEMPORAL_SERVER_ENVIRONMENT, TEMPORAL_SERVER_FOLDER } from './temporal-server-program';

const NAMESPACE = 'default';
const PORTS = [
  'FRONTEND_MEMBERSHIP_PORT',
  'FRONTEND_HTTP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
];

const inDeploy = (file: string) => path.join(packageRoot(), 'deploy/temporal', file);

/** Temporal's own server on a Postgres of its own, made and set up as the compose file has it done. It may be killed. */
export class TemporalServer {
  private database: PostgresServer | undefined;
  private running: RunningTemporal | undefined;
  private ports: Record<string, string> = {};

  readonly start: StartTemporal = async ({ folder: data, port }) => {
    const isNew = this.database === undefined;
    if (isNew) await this.prepare(data);
    const running = (this.running = await this.spawn(data, port));
    if (isNew) await this.script('create-namespace.sh', { TEMPORAL_ADDRESS: running.address });
    const server = { connectionOptions: { address: running.address }, namespace: NAMESPACE };
    await until('Temporal to answer', () => answers(server), 180_000);
    return running;
  };

  async stop(): Promise<void> {
    await this.running?.stop();
    await this.database?.stop();
  }

  private async prepare(data: string): Promise<void> {
    this.database = new PostgresServer(data, 'temporal-db');
    await this.database.start();
    for (const name of PORTS) this.ports[name] = String(await freePort());
    const { hostname, port, username, password } = this.address;
    await this.script('setup-schema.sh', {
      SQL_PLUGIN: TEMPORAL_SERVER_ENVIRONMENT['DB']!,
      SQL_HOST: hostname,
      SQL_PORT: port,
      SQL_USER: username,
      SQL_PASSWORD: password,
      TEMPORAL_SCHEMA_DIR: path.join(TEMPORAL_SERVER_FOLDER, 'schema'),
    });
  }

  private get address(): URL {
    return new URL(this.database!.adminUrl('postgres'));
  }

  private async spawn(data: string, port: number): Promise<RunningTemporal> {
    const { hostname, port: databasePort, username, password } = this.address;
    const log = openSync(path.join(data, 'temporal.log'), 'a');
    const child = spawn(path.join(TEMPORAL_SERVER_FOLDER, 'temporal-server'), ['start'], {
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...TEMPORAL_SERVER_ENVIRONMENT,
        ...this.ports,
        FRONTEND_GRPC_PORT: String(port),
        BIND_ON_IP: '127.0.0.1',
        POSTGRES_SEEDS: hostname,
        DB_PORT: databasePort,
        POSTGRES_USER: username,
        POSTGRES_PWD: password,
        DYNAMIC_CONFIG_FILE_PATH: inDeploy('dynamicconfig.yaml'),
      },
    });
    closeSync(log);
    const pid = child.pid!;
    guardChild(pid, 'SIGKILL');
    const exited = exitOf(child);
    void exited.then(() => forgetChild(pid));
    const identity = identify(pid);
    const stop = () => stopProcess(identity, [{ signal: 'SIGTERM', waitMs: 10_000 }]);
    return { address: `127.0.0.1:${port}`, port, pid, exited, stop };
  }

  private async script(name: string, env: Record<string, string>): Promise<void> {
    const programs = [TEMPORAL_SERVER_FOLDER, path.dirname(await findTemporal()), process.env['PATH']].join(
      path.delimiter,
    );
    await promisify(execFile)('/bin/sh', [inDeploy(name)], {
      env: { PATH: programs, HOME: os.tmpdir(), TEMPORAL_NAMESPACE: NAMESPACE, ...env },
    });
  }
}
