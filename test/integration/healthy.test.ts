import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { freePort } from '../../cli/embedded/ports';

const MAIN = path.join(__dirname, '../../dist/cli/healthy.js');

function exitCode(env: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN], { env }, (error) => resolve(error ? Number(error.code) : 0));
  });
}

test.each([
  ['an API', 'PORT', '/readyz'],
  ['a worker', 'HOLDFAST_WORKER_HEALTH_PORT', '/healthz'],
  ['a bank', 'HOLDFAST_BANK_PORT', '/healthz'],
])('a container of %s is healthy while its process says so, and not otherwise', async (_what, variable, where) => {
  let status = 200;
  const server = createServer((req, res) => res.writeHead(req.url === where ? status : 404).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const nobody = String(await freePort());
  const ports = { PORT: nobody, HOLDFAST_WORKER_HEALTH_PORT: nobody, HOLDFAST_BANK_PORT: nobody };
  const env = { ...ports, [variable]: String((server.address() as AddressInfo).port) };
  expect(await exitCode(env)).toBe(0);
  status = 503;
  expect(await exitCode(env)).toBe(1);
  await new Promise((resolve) => server.close(resolve));
  expect(await exitCode(env)).toBe(1);
});
