import http from 'node:http';

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- read as a client would, without our types
}

export interface HttpRequest {
  method?: string;
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Throws when there is no whole answer by then. */
  timeoutMs?: number;
  /** A connection of its own, closed after the answer. */
  alone?: boolean;
}

const keptAlive = new http.Agent({ keepAlive: true, maxSockets: 512 });

/** One request; throws when the connection breaks, or there is no answer in time. */
export function ask(url: string, request: HttpRequest = {}): Promise<HttpAnswer> {
  const { method = 'GET', token, body, headers, timeoutMs = 20_000, alone } = request;
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = http.request(url, {
      method,
      agent: alone ? false : keptAlive,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
    });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    sent.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('close', () => {
        clearTimeout(timer);
        if (!response.complete) return reject(new Error('the answer was cut off'));
        const all = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.includes('json') ?? false;
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: all === '' ? undefined : isJson ? JSON.parse(all) : all,
        });
      });
    });
    sent.end(text);
  });
}
