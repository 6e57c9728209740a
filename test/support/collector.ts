import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  service: unknown;
  /** As it came. */
  raw: string;
}

interface Value {
  stringValue?: string;
  intValue?: number | string;
}
interface WireSpan extends Pick<ReceivedSpan, 'name' | 'traceId' | 'spanId' | 'parentSpanId'> {
  attributes?: { key: string; value: Value }[];
  links?: { traceId: string; spanId: string }[];
}
interface WireTraces {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { spans: WireSpan[] }[];
  }[];
}

/** Somebody's collector: OTLP, JSON over HTTP. */
export class Collector {
  readonly spans: ReceivedSpan[] = [];
  readonly headers: http.IncomingHttpHeaders[] = [];
  /** Whether it answers at all. */
  isFrozen = false;

  private constructor(private readonly server: http.Server) {}

  static async start(): Promise<Collector> {
    const server = http.createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        if (collector.isFrozen) return;
        collector.headers.push(req.headers);
        if (req.url === '/v1/traces') collector.take(JSON.parse(Buffer.concat(chunks).toString()) as WireTraces);
        res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    const collector = new Collector(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  named(name: string, traceId?: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name && (traceId === undefined || span.traceId === traceId));
  }

  /** The names from the span that nobody here made, or the trace's first, down to this one. */
  pathTo(span: ReceivedSpan): string[] {
    const parent = this.spans.find(({ spanId, traceId }) => spanId === span.parentSpanId && traceId === span.traceId);
    return [...(parent ? this.pathTo(parent) : []), span.name];
  }

  /** Every such path in a trace, once. */
  paths(traceId: string): string[] {
    const paths = this.spans.filter((span) => span.traceId === traceId).map((span) => this.pathTo(span).join(' > '));
    return [...new Set(paths)].sort();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take({ resourceSpans }: WireTraces): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = attributesOf(resource.attributes)['service.name'];
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { name, traceId, spanId, parentSpanId, attributes = [], links = [] } = span;
        this.spans.push({
          ...{ name, traceId, spanId, links, service },
          ...(parentSpanId && { parentSpanId }),
          attributes: attributesOf(attributes),
          raw: JSON.stringify(span),
        });
      }
    }
  }
}

function attributesOf(attributes: readonly { key: string; value: Value }[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));
}

export const newTraceId = () => randomBytes(16).toString('hex');

/** The W3C header of a caller who traces, or has decided not to. */
export function traceparent(traceId: string, isKept = true): Record<string, string> {
  return { traceparent: `00-${traceId}-${'c'.repeat(16)}-${isKept ? '01' : '00'}` };
}
