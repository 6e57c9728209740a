import { mkdtempSync, rmSync } from 'node:fs';
import http, { type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { traceparent } from '../support/collector';
import { Haproxy, hasHaproxy } from '../support/haproxy';

if (!hasHaproxy) {
  test.todo('what the proxy lets through: there is no haproxy here');
} else {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-proxy-'));
  const asked: IncomingHttpHeaders[] = [];
  const behind = http.createServer((req, res) => {
    if (req.url !== '/readyz') asked.push(req.headers);
    res.end();
  });
  let proxy: Haproxy | undefined;

  beforeAll(async () => {
    await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve));
    proxy = await Haproxy.start(folder, [`http://127.0.0.1:${(behind.address() as AddressInfo).port}`]);
  });
  afterAll(async () => {
    await proxy?.stop();
    behind.closeAllConnections();
    await new Promise((resolve) => behind.close(resolve));
    rmSync(folder, { recursive: true });
  });

  test('says for whom it speaks, and keeps to itself which request a stranger wants traced', async () => {
    const headers = { ...traceparent('a'.repeat(32)), tracestate: 'vendor=1', 'x-request-id': 'kept' };
    await fetch(`${proxy!.url}/v1/me`, { headers });
    const [request] = asked;
    expect(request).toMatchObject({ 'x-request-id': 'kept', 'x-forwarded-for': '127.0.0.1' });
    expect(Object.keys(request!)).not.toEqual(expect.arrayContaining(['traceparent']));
    expect(Object.keys(request!)).not.toEqual(expect.arrayContaining(['tracestate']));
  });
}
