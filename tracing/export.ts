import { ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { TraceFlags } from '@opentelemetry/api';
import type { Logger } from '../ledger/log';
import { spans } from '../metrics/instruments';

export const SEND_WITHIN_MS = 3_000;
const SEND_EVERY_MS = 1_000;
const MOST_QUEUED = 4_096;
const MOST_AT_ONCE = 512;

/** Spans go out behind the work, a batch at a time. What the collector doesn't take in time is dropped, and counted. */
export function exportSpans(exporter: SpanExporter, log: Logger): SpanProcessor {
  let queued = 0;
  let isAway = false;
  for (const outcome of ['sent', 'failed', 'dropped']) spans.inc({ outcome }, 0);
  const counted: SpanExporter = {
    export(batch, done) {
      queued -= batch.length;
      exporter.export(batch, (result) => {
        const isSent = result.code === ExportResultCode.SUCCESS;
        spans.inc({ outcome: isSent ? 'sent' : 'failed' }, batch.length);
        if (isSent === isAway) {
          isAway = !isSent;
          if (isSent) log.info({}, 'the collector takes spans again');
          else log.warn({ err: result.error }, 'the collector takes no spans; nothing waits for it');
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
  const batches = new BatchSpanProcessor(counted, {
    maxQueueSize: MOST_QUEUED,
    maxExportBatchSize: MOST_AT_ONCE,
    scheduledDelayMillis: SEND_EVERY_MS,
    exportTimeoutMillis: SEND_WITHIN_MS + 500,
  });
  return {
    onStart: () => undefined,
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (queued >= MOST_QUEUED) return spans.inc({ outcome: 'dropped' });
      queued += 1;
      batches.onEnd(withoutTexts(span));
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}

/** The SDK's interceptors note an error's message and stack, in which there may be what somebody typed. */
function withoutTexts(span: ReadableSpan): ReadableSpan {
  delete span.status.message;
  for (const { attributes } of span.events) {
    delete attributes?.['exception.message'];
    delete attributes?.['exception.stacktrace'];
  }
  return span;
}
