import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import type { Context } from '@opentelemetry/api';
import type { Logger } from '../ledger/log';
import type * as Loaded from './opentelemetry';
import type { RequestSpan, Tracing, TracingSettings } from './opentelemetry';

/** What the work under way is for: log lines name it. */
export interface About {
  requestId?: string | undefined;
  transactionId?: string | undefined;
  workflowId?: string | undefined;
}

/** Where work was asked for that is done later, together with others'. */
export interface Place {
  readonly about: About | undefined;
  readonly context: Context | undefined;
}

/** Ids, counts and names only. Nothing that is anybody's goes into a span. */
export type Attributes = Record<string, string | number | undefined>;

export interface SpanOptions {
  attributes?: Attributes;
  /** It calls somebody else. */
  isCall?: boolean;
  /** For whom it is done: it is part of the first one's trace, and linked to the others. */
  of?: readonly Place[];
}

const abouts = new AsyncLocalStorage<About>();
let tracing: Tracing | undefined;

/** Without settings nothing of OpenTelemetry is loaded, and everything below only does its work. */
export function startTracing(settings: TracingSettings | undefined, log: Logger): Tracing | undefined {
  if (!settings) return undefined;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- only now
  const loaded = require('./opentelemetry') as typeof Loaded;
  tracing = new loaded.Tracing(settings, log);
  return tracing;
}

/** What is not sent yet is sent, for a moment. */
export async function stopTracing(): Promise<void> {
  const stopping = tracing;
  tracing = undefined;
  await stopping?.stop();
}

export function during<T>(about: About, work: () => T): T {
  return abouts.run(about, work);
}

/** Work that is nobody's in particular, whoever set it going. */
export function detached<T>(work: () => T): T {
  return abouts.exit(() => (tracing ? tracing.detached(work) : work()));
}

export function here(): Place {
  return { about: abouts.getStore(), context: tracing?.active() };
}

/** Under the first of them that is traced, without a span of its own. */
export function under<T>(places: readonly Place[], work: () => T): T {
  return tracing ? tracing.under(places, work) : work();
}

/** A span around the work, where what asked for it is traced. */
export function inSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return tracing ? tracing.inSpan(name, options, work) : work();
}

/** A span that is over, and took so long. */
export function noteSpan(name: string, ms: number, attributes?: Attributes): void {
  tracing?.note(name, ms, attributes);
}

export function startRequest(method: string, headers: IncomingHttpHeaders): RequestSpan | undefined {
  return tracing?.startRequest(method, headers);
}

/** For calls to others, who may go on with the trace. */
export function traceHeaders(): Record<string, string> {
  return tracing?.headers() ?? {};
}

/** What every log line says of the work it comes from. */
export function logFields(): object {
  const about = abouts.getStore();
  return {
    ...(about && {
      requestId: about.requestId,
      transactionId: about.transactionId,
      workflowId: about.workflowId,
    }),
    ...tracing?.ids(),
  };
}
