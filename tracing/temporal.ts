import { context, type Tracer } from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry-v2';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import { TRACE_HEADER, type TraceSinks } from '../contracts/tracing';
import type { Tracing } from './opentelemetry';

/** What clients and workers are given; in the workflows' sandbox there is workflows/tracing.ts. */
export interface TemporalTracing {
  client: WorkflowClientInterceptor[];
  activity: ActivityInterceptorsFactory[];
  sinks: InjectedSinks<TraceSinks>;
}

export function traceTemporal(tracer: Tracer, tracing: Pick<Tracing, 'ofRun' | 'runEnded'>): TemporalTracing {
  return {
    client: [new OpenTelemetryWorkflowClientInterceptor({ tracer })],
    activity: [
      ({ info }) => ({
        inbound: {
          execute(input, next) {
            const runId = info.workflowExecution?.runId;
            if (runId === undefined || TRACE_HEADER in input.headers) return next(input);
            return context.with(tracing.ofRun(runId), () => next(input));
          },
        },
      }),
      (each) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(each, { tracer }) }),
    ],
    sinks: {
      trace: {
        ended: {
          callDuringReplay: false,
          fn({ workflowType, workflowId, runId, runStartTime }, traceparent, failure) {
            const startedAtMs = runStartTime.getTime();
            tracing.runEnded({ workflowType, workflowId, runId, startedAtMs, traceparent, failure });
          },
        },
      },
    },
  };
}
