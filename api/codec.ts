import type { RequestHandler } from 'express';
import * as schemas from '../contracts/schemas';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';

const PATH = '/codec/decode';
const LIMIT_BYTES = 8 * 1024 * 1024;

/** Temporal's protocol of a codec server, of which the Web UI's and the CLI's part is to have payloads opened. */
export function codecRoutes({ codec }: Pick<ApiDeps, 'codec'>): Route[] {
  return [
    route({
      id: 'decodePayloads',
      method: 'post',
      path: PATH,
      tag: 'Ops',
      summary: 'Open encrypted payloads of workflows',
      description:
        'For the Temporal Web UI and CLI, whose codec endpoint is `/codec`. What is not encrypted, or no key here opens, ' +
        'comes back as it is. 404 where no keys are given.',
      auth: 'payloads:decode',
      body: schemas.payloads,
      bodyLimitBytes: LIMIT_BYTES,
      compress: true,
      answers: { 200: { description: 'The payloads, in order', schema: schemas.payloads } },
      problems: ['not_found'],
      async handler({ res, body }) {
        if (!codec) throw new Problem('not_found');
        const payloads = body.payloads.map(fromJson);
        const opened = await Promise.all(payloads.map((each) => codec.decode([each]).catch(() => [each])));
        sendJson(res, 200, { payloads: opened.flat().map(toJson) });
      },
    }),
  ];
}

/** A browser lets the Web UI, and no other page, read the answer. It sends the token itself, so no cookie is let through. */
export function codecCors({ codec }: Pick<ApiDeps, 'codec'>): RequestHandler {
  const origin = codec?.uiUrl === undefined ? undefined : new URL(codec.uiUrl).origin;
  return (req, res, next) => {
    if (origin !== undefined && req.path === PATH) {
      res.setHeader('Vary', 'Origin');
      if (req.headers.origin === origin) {
        res.setHeader('Access-Control-Allow-Origin', origin);
        res.setHeader('Access-Control-Allow-Headers', 'authorization, authorization-extras, content-type, x-namespace');
        res.setHeader('Access-Control-Allow-Methods', 'POST');
        res.setHeader('Access-Control-Max-Age', '600');
      }
    }
    next();
  };
}

/** As protobuf writes them in JSON: bytes are base64. */
function fromJson({ metadata, data }: schemas.PayloadView) {
  const bytes = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(bytes) as Record<string, Buffer>, data: Buffer.from(data ?? '', 'base64') };
}

function toJson({
  metadata,
  data,
}: {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
}): schemas.PayloadView {
  const texts = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return {
    metadata: Object.fromEntries(texts) as Record<string, string>,
    data: Buffer.from(data ?? []).toString('base64'),
  };
}
