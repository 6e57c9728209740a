import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Problem } from './problems';

/**
 * Reads a JSON body. Express's own reader answers a wrong content type by silently not reading, mends broken UTF-8, and
 * unpacks compressed bodies; this one refuses all three.
 */
export async function readJson(req: IncomingMessage, limitBytes: number): Promise<unknown> {
  const length = req.headers['content-length'];
  if (length === undefined ? req.headers['transfer-encoding'] === undefined : length === '0') {
    throw new Problem('malformed_json', { detail: 'The body is empty.' });
  }
  refuseOtherTypes(req);
  const bytes = await readRaw(req, limitBytes);
  if (!isUtf8(bytes)) throw new Problem('malformed_json', { detail: 'The body is not UTF-8.' });
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    // The parser's own message quotes the body, which may hold a password.
    throw new Problem('malformed_json', { detail: 'The body could not be parsed as JSON.' });
  }
}

/** The body to the byte, as a signature is over it. */
export async function readRaw(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const length = req.headers['content-length'];
  if (length !== undefined && Number(length) > limitBytes) throw tooLarge(limitBytes);
  return readBytes(req, limitBytes);
}

const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

function refuseOtherTypes(req: IncomingMessage): void {
  const type = req.headers['content-type'];
  if (type !== 'application/json' && (type === undefined || !JSON_TYPE.test(type))) {
    throw new Problem('unsupported_media_type');
  }
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type', { detail: 'Send the body uncompressed.' });
  }
}

function readBytes(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (finish: () => void) => {
      req.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      finish();
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= limitBytes) return;
      // The rest is read and dropped, so that the client gets to read the answer.
      settle(() => reject(tooLarge(limitBytes)));
      req.resume();
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const onBroken = () =>
      settle(() => {
        // A late error of a connection already given up on must find a listener.
        req.on('error', () => {});
        reject(new Problem('malformed_json', { detail: 'The body ended early.' }));
      });
    req.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

function tooLarge(limitBytes: number): Problem {
  return new Problem('body_too_large', { detail: `The body may have ${limitBytes} bytes.` });
}
