import type { IncomingHttpHeaders } from 'node:http';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type IdGenerator,
} from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { spanIdOfRun, traceIdOfRun } from '../contracts/tracing';
import type { Logger } from '../ledger/log';
import type { Attributes, Place, SpanOptions } from '.';
import { exportSpans, SEND_WITHIN_MS } from './export';
import { traceTemporal, type TemporalTracing } from './temporal';

export interface TracingSettings {
  /** The collector's address, without `/v1/traces`. */
  url: string;
  /** How much of what nobody traced before is traced here. */
  ratio: number;
  /** What the collector asks for, such as a key. */
  headers: Record<string, string>;
  service: string;
}

/** A run of a workflow that is over. */
export interface EndedRun {
  workflowType: string;
  workflowId: string;
  runId: string;
  startedAtMs: number;
  traceparent: string | undefined;
  failure: string | undefined;
}

const FLUSH_MS = 3_000;
/** A group is linked to each of its requests. */
const MOST_LINKS = 1_000;

/** OpenTelemetry's own SDK, and what we ask of it. */
export class Tracing {
  readonly temporal: TemporalTracing;
  private readonly provider: NodeTracerProvider;
  private readonly tracer: Tracer;
  private readonly newIds = new Ids();
  private readonly sampler: TraceIdRatioBasedSampler;

  constructor({ url, ratio, headers, service }: TracingSettings, log: Logger) {
    this.sampler = new TraceIdRatioBasedSampler(ratio);
    const address = `${url.replace(/\/+$/, '')}/v1/traces`;
    this.provider = new NodeTracerProvider({
      resource: resourceFromAttributes({ 'service.name': service, 'process.pid': process.pid }),
      sampler: new ParentBasedSampler({ root: this.sampler }),
      idGenerator: this.newIds,
      spanLimits: { linkCountLimit: MOST_LINKS },
      spanProcessors: [
        exportSpans(new OTLPTraceExporter({ url: address, headers, timeoutMillis: SEND_WITHIN_MS }), log),
      ],
    });
    this.provider.register({ propagator: new W3CTraceContextPropagator() });
    this.tracer = this.provider.getTracer('holdfast');
    this.temporal = traceTemporal(this.tracer, this);
  }

  /** Sends what is left, but not for long: a collector that is away must not hold up a shutdown. */
  async stop(): Promise<void> {
    const late = new Promise((resume) => setTimeout(resume, FLUSH_MS).unref());
    await Promise.race([this.provider.shutdown().catch(() => undefined), late]);
    trace.disable();
    context.disable();
    propagation.disable();
  }

  active(): Context {
    return context.active();
  }

  detached<T>(work: () => T): T {
    return context.with(ROOT_CONTEXT, work);
  }

  under<T>(places: readonly Place[], work: () => T): T {
    return context.with(firstTraced(places) ?? ROOT_CONTEXT, work);
  }

  inSpan<T>(name: string, { attributes, isCall, of }: SpanOptions, work: () => Promise<T>): Promise<T> {
    const parent = of ? firstTraced(of) : context.active();
    const above = parent && trace.getSpanContext(parent);
    if (!parent || !isSampled(above)) return context.with(parent ?? ROOT_CONTEXT, work);
    const options = {
      kind: isCall ? SpanKind.CLIENT : SpanKind.INTERNAL,
      attributes,
      links: of && linksTo(of, above),
    };
    const span = this.tracer.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), () => untilEnded(span, work));
  }

  note(name: string, ms: number, attributes?: Attributes): void {
    const parent = context.active();
    if (!isSampled(trace.getSpanContext(parent))) return;
    const endedAt = performance.now();
    const options = { kind: SpanKind.CLIENT, attributes, startTime: endedAt - ms };
    this.tracer.startSpan(name, options, parent).end(endedAt);
  }

  startRequest(method: string, headers: IncomingHttpHeaders): RequestSpan {
    const from = propagation.extract(ROOT_CONTEXT, headers);
    return new RequestSpan(this.tracer.startSpan(method, { kind: SpanKind.SERVER }, from), from);
  }

  headers(): Record<string, string> {
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    return carrier;
  }

  /** Of a trace that is kept: whoever reads them in a log finds it. */
  ids(): { traceId: string; spanId: string } | undefined {
    return idsOf(trace.getSpanContext(context.active()));
  }

  /** What a run's activities are under when it was started under nothing: a trace of its own, by the run's id. */
  ofRun(runId: string): Context {
    const traceId = traceIdOfRun(runId);
    const { decision } = this.sampler.shouldSample(ROOT_CONTEXT, traceId);
    const isKept = decision === SamplingDecision.RECORD_AND_SAMPLED;
    const traceFlags = isKept ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: spanIdOfRun(runId), traceFlags, isRemote: true });
  }

  runEnded({ workflowType, workflowId, runId, startedAtMs, traceparent, failure }: EndedRun): void {
    const from = propagation.extract(ROOT_CONTEXT, traceparent === undefined ? {} : { traceparent });
    const attributes = { temporalWorkflowId: workflowId, run_id: runId, 'error.type': failure };
    const span = this.newIds.given({ traceId: traceIdOfRun(runId), spanId: spanIdOfRun(runId) }, () =>
      this.tracer.startSpan(`RunWorkflow:${workflowType}`, { startTime: startedAtMs, attributes }, from),
    );
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}

/** One request, from its headers until its answer is out. */
export class RequestSpan {
  private readonly context: Context;

  constructor(
    private readonly span: Span,
    from: Context,
  ) {
    this.context = trace.setSpan(from, span);
  }

  run<T>(work: () => T): T {
    return context.with(this.context, work);
  }

  ids(): { traceId: string; spanId: string } | undefined {
    return idsOf(this.span.spanContext());
  }

  end(name: string, attributes: Attributes, isError: boolean): void {
    if (!this.span.isRecording()) return;
    this.span.updateName(name).setAttributes(attributes);
    if (isError) this.span.setStatus({ code: SpanStatusCode.ERROR });
    this.span.end();
  }
}

/** Random ones, but for the one span whose ids were decided elsewhere. */
class Ids implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  private next: { traceId: string; spanId: string } | undefined;

  given<T>(ids: { traceId: string; spanId: string }, start: () => T): T {
    this.next = ids;
    try {
      return start();
    } finally {
      this.next = undefined;
    }
  }

  generateTraceId(): string {
    return this.next?.traceId ?? this.random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next?.spanId ?? this.random.generateSpanId();
  }
}

async function untilEnded<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', kindOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Never an error's message, which may hold what somebody typed: the log has it. */
function kindOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : typeof error;
}

function idsOf(of: SpanContext | undefined): { traceId: string; spanId: string } | undefined {
  return isSampled(of) ? { traceId: of.traceId, spanId: of.spanId } : undefined;
}

function isSampled(of: SpanContext | undefined): of is SpanContext {
  return of !== undefined && (of.traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** Whose trace it is kept in; of one that isn't kept, that too is handed on. */
function firstTraced(places: readonly Place[]): Context | undefined {
  const contexts = places.flatMap((place) => (place.context && trace.getSpan(place.context) ? [place.context] : []));
  return contexts.find((each) => isSampled(trace.getSpanContext(each))) ?? contexts[0];
}

function linksTo(places: readonly Place[], parent: SpanContext): { context: SpanContext }[] {
  const contexts = places.map((place) => place.context && trace.getSpanContext(place.context));
  const others = new Map(contexts.flatMap((each) => (isSampled(each) ? [[each.spanId, each]] : [])));
  others.delete(parent.spanId);
  return [...others.values()].map((each) => ({ context: each }));
}
