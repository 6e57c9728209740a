import { readFileSync } from 'node:fs';
import path from 'node:path';
import { TRACE_HEADER as headerOfTheSdk } from '@temporalio/interceptors-opentelemetry-v2/lib/instrumentation';
import { register } from 'prom-client';
import { parse } from 'yaml';
import { CONFIG_VARIABLES } from '../../cli/config';
import { TRACE_HEADER, spanIdOfRun, underRun } from '../../contracts/tracing';
import { detached, during, here, inSpan, logFields, noteSpan, startTracing, stopTracing, under } from '../../tracing';
import type { Tracing } from '../../tracing/opentelemetry';
import { Collector, traceparent } from '../support/collector';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';

let collector: Collector;
let tracing: Tracing;
beforeEach(async () => {
  collector = await Collector.start();
  const headers = { 'x-key': 'of the collector' };
  tracing = startTracing({ url: `${collector.url}/`, ratio: 1, headers, service: 'holdfast-test' }, silent)!;
});
afterEach(async () => {
  await stopTracing();
  await collector.close();
});

const TRACE = 'a'.repeat(32);

/** As a request that is traced does it. */
const traced = <T>(work: () => Promise<T>, traceId = TRACE) =>
  tracing.startRequest('POST', traceparent(traceId)).run(work);

async function spansOutcome(outcome: string): Promise<number> {
  const { values } = await register.getSingleMetric('holdfast_spans_total')!.get();
  return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
}

test('spans go to the collector with what it asks for, and an error by its kind, without its words', async () => {
  const work = traced(() =>
    inSpan('fails', { attributes: { shard: 1 } }, () => Promise.reject(new RangeError('of somebody personal'))),
  );
  await expect(work).rejects.toThrow('personal');
  await eventually(async () => expect(collector.named('fails', TRACE)).toHaveLength(1));
  const [span] = collector.named('fails');
  expect(span).toMatchObject({ attributes: { shard: 1, 'error.type': 'RangeError' }, service: 'holdfast-test' });
  expect(span!.raw).not.toContain('personal');
  expect(collector.headers[0]).toMatchObject({ 'x-key': 'of the collector', 'content-type': 'application/json' });
});

test('what was asked for by nobody who is traced makes no span', async () => {
  await inSpan('alone', {}, async () => noteSpan('select accounts', 1));
  await inSpan('for nobody', { of: [] }, async () => noteSpan('select accounts', 1));
  await traced(() => detached(() => inSpan('detached', {}, async () => 1)));
  await traced(() => inSpan('last', {}, async () => 1));
  await stopTracing();
  expect(collector.spans.map(({ name }) => name)).toEqual(['last']);
});

test('what is done for many goes under the first who is traced, once for each', async () => {
  const other = 'b'.repeat(32);
  const untraced = here();
  const [one, two] = [await traced(async () => here()), await traced(async () => here(), other)];
  await inSpan('for all', { of: [untraced, one, two, two, one] }, () =>
    under([untraced, two], () => inSpan('part', {}, async () => 1)),
  );
  await stopTracing();
  expect(collector.named('for all', TRACE)[0]!.links).toMatchObject([{ traceId: other }]);
  expect(collector.named('part', other)).toHaveLength(1);
});

test('a log line names what it is about, and the trace if it is kept', async () => {
  expect(logFields()).toEqual({});
  const about = { requestId: 'r', transactionId: 't' };
  const [inside, outside] = await during(about, () =>
    traced(async () => [{ ...logFields() }, detached(() => logFields())]),
  );
  expect(inside).toEqual({ ...about, workflowId: undefined, traceId: TRACE, spanId: expect.any(String) });
  expect(outside).toEqual({});
});

test('a collector that does not answer holds up nothing: what is too much for the queue is dropped, and counted', async () => {
  collector.isFrozen = true;
  const dropped = await spansOutcome('dropped');
  await traced(async () => {
    for (let n = 0; n < 6_000; n += 1) noteSpan('select accounts', 1);
  });
  expect(await spansOutcome('dropped')).toBeGreaterThan(dropped + 1_000);
  const since = performance.now();
  await stopTracing();
  expect(performance.now() - since).toBeLessThan(10_000);
});

test('one that is away is told of, and the work goes on', async () => {
  await stopTracing();
  const told: string[] = [];
  const log = { ...silent, warn: (_: object, message: string) => void told.push(message) };
  tracing = startTracing({ url: 'http://127.0.0.1:1', ratio: 1, headers: {}, service: 'x' }, log)!;
  const failed = await spansOutcome('failed');
  expect(await traced(() => inSpan('work', {}, async () => 'done'))).toBe('done');
  await eventually(async () => expect(told).toEqual(['the collector takes no spans; nothing waits for it']));
  expect(await spansOutcome('failed')).toBeGreaterThan(failed);
});

test('of what nobody traced before, the ratio is kept; all parts of a run decide alike', async () => {
  await stopTracing();
  tracing = startTracing({ url: collector.url, ratio: 0, headers: {}, service: 'x' }, silent)!;
  const request = tracing.startRequest('GET', {});
  expect(request.ids()).toBeUndefined();
  const runId = '7f9c24e8-3b12-4fe1-8c5a-1d2f6a9b0c3d';
  await under([{ about: undefined, context: tracing.ofRun(runId) }], () => inSpan('activity', {}, async () => 1));
  const run = { workflowType: 'sweep', workflowId: 'sweep', runId, startedAtMs: Date.now(), failure: undefined };
  tracing.runEnded({ ...run, traceparent: undefined });
  tracing.runEnded({ ...run, traceparent: traceparent(TRACE).traceparent });
  await stopTracing();
  expect(collector.spans).toMatchObject([{ name: 'RunWorkflow:sweep', traceId: TRACE, spanId: spanIdOfRun(runId) }]);
});

test('a run’s span is the parent of what it calls', () => {
  const runId = '7f9c24e8-3b12-4fe1-8c5a-1d2f6a9b0c3d';
  expect(underRun(traceparent(TRACE).traceparent!, runId)).toBe(`00-${TRACE}-8c5a1d2f6a9b0c3d-01`);
});

test('the SDK’s interceptors are made for the SDK in use: one header, and one copy of what both stand on', () => {
  expect(TRACE_HEADER).toBe(headerOfTheSdk);
  const from = (name: string) => ({ paths: [path.dirname(require.resolve(name))] });
  for (const name of ['@temporalio/common', '@temporalio/workflow', '@temporalio/plugin']) {
    const theirs = require.resolve(name, from('@temporalio/interceptors-opentelemetry-v2'));
    expect(theirs).toBe(require.resolve(name, from('@temporalio/worker')));
  }
});

test('the Jaeger beside the compose file has one exact version, and is asked by ours only', () => {
  const file = readFileSync(path.join(__dirname, '../../deploy/tracing.yml'), 'utf8');
  const { services } = parse(file) as {
    services: Record<string, { image?: string; ports?: string[]; environment?: Record<string, string> }>;
  };
  expect(services.jaeger!.image).toMatch(/^[a-z/]+:\d+\.\d+\.\d+$/);
  for (const port of services.jaeger!.ports!) expect(port).toMatch(/^127\.0\.0\.1:/);
  for (const name of ['api', 'worker']) {
    const environment = Object.entries(services[name]!.environment!);
    expect(environment.filter(([variable]) => !CONFIG_VARIABLES.includes(variable))).toEqual([]);
    expect(services[name]!.environment).toMatchObject({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://jaeger:4318' });
  }
});
