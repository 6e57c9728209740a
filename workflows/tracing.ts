import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { ContinueAsNew, proxySinks, workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { TRACE_HEADER, underRun, type TraceCarrier, type TraceSinks } from '../contracts/tracing';

/**
 * Hands a workflow's trace on to all that it calls. It adds a header and nothing else, not a command and not a turn of a
 * promise: so a history is replayed alike by processes that trace and by those that don't.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let handedOn: Headers = {};
  const withTrace = <Input extends { headers: Headers }>(input: Input): Input => ({
    ...input,
    headers: { ...input.headers, ...handedOn },
  });
  return {
    inbound: [
      {
        execute(input, next) {
          const traceparent = traceparentOf(input.headers);
          if (traceparent !== undefined) handedOn = headerOf(underRun(traceparent, workflowInfo().runId));
          const { trace } = proxySinks<TraceSinks>();
          const run = next(input);
          void run.then(
            () => trace.ended(traceparent, undefined),
            (error: unknown) => trace.ended(traceparent, failureOf(error)),
          );
          return run;
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(withTrace(input)),
        scheduleLocalActivity: (input, next) => next(withTrace(input)),
        startChildWorkflowExecution: (input, next) => next(withTrace(input)),
        continueAsNew: (input, next) => next(withTrace(input)),
      },
    ],
  };
};

/** To go on as a new run is no failure. */
function failureOf(error: unknown): string | undefined {
  if (error instanceof ContinueAsNew) return undefined;
  return error instanceof Error ? error.name : 'unknown';
}

function headerOf(traceparent: string): Headers {
  const carrier: TraceCarrier = { traceparent };
  return { [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

/** A header that isn't as ours are must not stop a workflow: it then has no trace. */
function traceparentOf(headers: Headers): string | undefined {
  try {
    const header = headers[TRACE_HEADER];
    return header && defaultPayloadConverter.fromPayload<TraceCarrier>(header).traceparent;
  } catch {
    return undefined;
  }
}
