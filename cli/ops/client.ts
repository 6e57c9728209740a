import type { ProblemView } from '../../contracts/schemas';
import { UserError } from '../user-error';
import type { OpsSettings } from './settings';

/** Above what a cancel waits for its workflow. */
const TIMEOUT_MS = 30_000;

export interface Reply {
  status: number;
  headers: Headers;
  body: unknown;
}

/** The API as a member of staff asks it. */
export class OpsClient {
  private constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly isOwnSession = false,
  ) {}

  static async signIn({ url, credentials }: OpsSettings): Promise<OpsClient> {
    if ('token' in credentials) return new OpsClient(url, credentials.token);
    const reply = await new OpsClient(url, '').ask('POST', '/v1/sessions', { body: credentials });
    if (reply.status !== 201) throw refusal(reply, `${credentials.username} can't sign in at ${url}`);
    return new OpsClient(url, (reply.body as { accessToken: string }).accessToken, true);
  }

  /** Ends what it began; should it not reach the API any more, the session ends by itself some day. */
  async signOut(): Promise<void> {
    if (this.isOwnSession) await this.ask('DELETE', '/v1/sessions/current').catch(() => undefined);
  }

  async get<Body>(path: string, query: Record<string, string | undefined> = {}): Promise<Body> {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const reply = await this.ask('GET', `${path}?${new URLSearchParams(given).toString()}`);
    if (reply.status !== 200) throw refusal(reply, `The API refuses ${path}`);
    return reply.body as Body;
  }

  /** The same key again is the same request: it can be sent again when no answer came. */
  post(path: string, body: object, key: string): Promise<Reply> {
    return this.ask('POST', path, { body, key });
  }

  private async ask(method: string, path: string, { body, key }: { body?: object; key?: string } = {}): Promise<Reply> {
    try {
      const response = await fetch(this.url + path, {
        method,
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          ...(this.token !== '' && { authorization: `Bearer ${this.token}` }),
          ...(body && { 'content-type': 'application/json' }),
          ...(key !== undefined && { 'idempotency-key': key }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
    } catch (cause) {
      throw new UserError(`The API at ${this.url} does not answer.`, 'Is it running? HOLDFAST_URL says where it is.', {
        cause,
      });
    }
  }
}

export function problemOf({ status, body }: Reply): Pick<ProblemView, 'code' | 'title' | 'detail' | 'transaction'> {
  return typeof body === 'object' && body !== null && 'code' in body
    ? (body as ProblemView)
    : { code: `http_${status}`, title: `The API answered ${status}` };
}

function refusal(reply: Reply, sentence: string): UserError {
  const { title, detail, code } = problemOf(reply);
  const { errors = [] } = (reply.body ?? {}) as Partial<ProblemView>;
  const mistakes = errors.map(({ field, message }) => `${field}: ${message}`);
  return new UserError(
    `${sentence}: ${title} (${code}).`,
    [detail, ...mistakes].filter(Boolean).join('\n') || undefined,
  );
}
