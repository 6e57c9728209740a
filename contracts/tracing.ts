/**
 * How a trace goes through Temporal. The client's interceptor puts it into a workflow's header; the workflow hands it on
 * to all that it calls, with its own run's span as the parent; and that span is made outside, when the run is over.
 */
import type { Sinks } from '@temporalio/workflow';

/** As the SDK's interceptors for OpenTelemetry call it. */
export const TRACE_HEADER = '_tracer-data';

/** W3C Trace Context, as it stands in that header. */
export interface TraceCarrier {
  traceparent?: string;
}

export interface TraceSinks extends Sinks {
  trace: {
    /** A run is over. `traceparent` is what it was started under, if anything; `failure` names the error it ended with. */
    ended(traceparent: string | undefined, failure: string | undefined): void;
  };
}

/** The span of a workflow's run, known wherever the run is: no two runs share these 62 random bits. */
export const spanIdOfRun = (runId: string): string => runId.replaceAll('-', '').slice(16);

/** The trace of a run that was started under none, as schedules start them. */
export const traceIdOfRun = (runId: string): string => runId.replaceAll('-', '');

export function underRun(traceparent: string, runId: string): string {
  const [version, traceId, , flags] = traceparent.split('-');
  return [version, traceId, spanIdOfRun(runId), flags].join('-');
}
