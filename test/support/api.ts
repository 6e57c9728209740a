import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { Client, Connection } from '@temporalio/client';
import pino from 'pino';
import { createApp, type ApiDeps } from '../../api/app';
import { Callers } from '../../api/callers';
import { createHttpRail } from '../../bank/http-rail';
import type { Lanes } from '../../api/lane';
import { describeError } from '../../api/log';
import { inProcess } from '../../api/counters';
import { LogInGuard } from '../../api/log-in-guard';
import { RateLimits } from '../../api/rate-limits';
import type { Provider } from '../../api/provider';
import { createTokens, type Caller } from '../../api/tokens';
import { Unproven } from '../../api/unproven';
import { systemAccountId } from '../../contracts/ids';
import { parseAmount } from '../../contracts/money';
import type { PaymentSettings } from '../../contracts/payments';
import type { Role } from '../../contracts/statuses';
import type { NamedKey } from '../../ledger/aes';
import { transactionId } from '../../ledger/identity';
import { Names } from '../../ledger/names';
import { fieldOf } from '../../ledger/seal';
import { openShards } from '../../ledger/shards';
import { openAccount } from '../../users/accounts';
import { KnownAddresses } from '../../users/known-addresses';
import { Users } from '../../users/store';
import { Owners } from '../../worker/owners';
import { cloneDatabase, type TestDatabase } from './database';
import { openApiCheck, type OpenApi } from './openapi-check';
import { COMMAND_KEY, testSealer } from './sealer';

export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed where it is JSON, otherwise the text; undefined where there is none. */
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- checked against openapi.json instead
}

export interface AskOptions {
  token?: string;
  body?: unknown;
  /** The body as it is, instead of as JSON. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
}

export interface TestUser extends Caller {
  token: string;
}

export const WEBHOOK_SECRET = 'what the bank of tests signs with';
export const TOKEN_KEY = 'a key for tests of at least thirty-two characters';

/** The whole API over real HTTP on a database of its own; every answer it gives is held against openapi.json. */
export class TestApi {
  private constructor(
    readonly url: string,
    readonly deps: ApiDeps,
    readonly database: TestDatabase,
    /** What was logged, a line each. */
    readonly logged: Record<string, unknown>[],
    private readonly check: ReturnType<typeof openApiCheck>,
    private readonly stop: () => Promise<void>,
  ) {}

  static async start(
    choose: {
      lanes?: Lanes;
      deps?: Partial<ApiDeps>;
      database?: TestDatabase;
      provider?: Provider;
      sealKeys?: NamedKey[] | undefined;
    } = {},
  ): Promise<TestApi> {
    const database = choose.database ?? (await cloneDatabase());
    const logged: Record<string, unknown>[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    });
    const log = pino({ level: 'info', serializers: { err: describeError } }, sink);
    const shards = choose.deps?.shards ?? openShards({ urls: [database.appUrl], log });
    // Connects when a test first starts a payment; no worker serves it there.
    const temporal = Connection.lazy({ address: process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']! });
    const parts = {
      shards,
      names: new Names(shards),
      sealer: testSealer(shards, choose.sealKeys),
      tokens: createTokens({ key: TOKEN_KEY, ttlSeconds: 600 }),
      sessionTtlSeconds: 3_600,
      rates: new RateLimits(inProcess(), {}),
      logInGuard: new LogInGuard(inProcess(), new KnownAddresses(shards, COMMAND_KEY), log),
      unproven: new Unproven(inProcess()),
      trustProxy: false as const,
      log,
      lanes: choose.lanes ?? NO_LANES,
      owners: new Owners(new Client({ connection: temporal }), PAYMENTS, log, false),
      rail: createHttpRail({ url: 'http://127.0.0.1:1', apiKey: 'none', webhookSecrets: [WEBHOOK_SECRET] }),
      approvalFrom: new Map([['SGD', 10_000_00n]]),
      defaultLimits: new Map(),
      workflowUrl: (workflowId: string) => `http://temporal.example/${encodeURIComponent(workflowId)}`,
      reconcileYoungMs: 0,
      commandKey: COMMAND_KEY,
      checks: {},
      isStopping: () => false,
      deadlineMs: 5_000,
      slowRequestMs: 1_000,
      ...choose.deps,
    };
    const deps: ApiDeps = {
      callers: new Callers({ ...parts, provider: choose.provider, rememberMs: 3_000 }),
      ...parts,
    };
    const server = createServer(createApp(deps));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    return new TestApi(url, deps, database, logged, openApiCheck(document), async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await deps.shards.close();
      await temporal.close();
      await database.drop();
    });
  }

  close(): Promise<void> {
    return this.stop();
  }

  sealBankAccount({ userId }: TestUser, id: string, details: { holder: string; number: string }): Promise<string> {
    return this.deps.sealer.seal(userId, fieldOf.bankAccount(id), JSON.stringify(details));
  }

  async ask(method: string, path: string, { token, body, raw, headers }: AskOptions = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
    const answer = { status: response.status, headers: response.headers, body: await readBody(response) };
    this.check({ method, path: path.replace(/\?.*$/, ''), ...answer });
    return answer;
  }

  get(path: string, token?: string): Promise<Answer> {
    return this.ask('GET', path, { token });
  }

  post(path: string, body: unknown, token?: string, headers?: Record<string, string>): Promise<Answer> {
    return this.ask('POST', path, { token, body, headers });
  }

  /** A user with a token, made without the cost of hashing a password that no test will use. */
  async newUser(
    username: string,
    options: { roles?: Role[]; wallets?: string[]; name?: string } = {},
  ): Promise<TestUser> {
    const roles = options.roles ?? ['customer'];
    const users = new Users(this.deps.shards, this.deps.sealer);
    const facts = { username, name: options.name ?? username, email: `${username}@example.com`, roles };
    const user = await users.create({ ...facts, passwordHash: 'none' });
    if (!user) throw new Error(`${username} exists already`);
    for (const currency of options.wallets ?? []) {
      await openAccount(this.deps.shards.forUsername(username), user.id, currency);
    }
    const caller = { userId: user.id, username, roles };
    return { ...caller, token: this.deps.tokens.issue(caller).accessToken };
  }

  /** Money from the bank's side of the books, by a transaction like any other, whose id it answers. */
  async fund(username: string, currency: string, amount: string): Promise<string> {
    const account = await this.deps.names.resolve({ username, currency });
    const parsed = parseAmount(amount, currency);
    if (!account || !parsed.ok) throw new Error(`${username}.${currency} can't be given ${amount}`);
    const shard = this.deps.shards.forUsername(username);
    const [outcome] = await shard.poster.post([
      {
        kind: 'transfer',
        facts: {
          id: transactionId(account.ownerId, `funding ${Math.random()}`),
          type: 'opening',
          actorId: account.ownerId,
          hash: 'funding',
          from: systemAccountId(shard.number, '@bank', currency),
          to: account.accountId,
          amountMinor: parsed.amountMinor,
          currency,
        },
      },
    ]);
    if (outcome?.kind !== 'transaction' || outcome.status !== 'completed') {
      throw new Error(`Funding failed: ${JSON.stringify(outcome)}`);
    }
    return outcome.id;
  }
}

const PAYMENTS: PaymentSettings = {
  attentionAfterMs: 1_500,
  slowBeatMs: 600_000,
  pollFirstMs: 1_000,
  pollMaxMs: 5_000,
  settleWithinMs: 600_000,
  approvalWithinMs: 600_000,
};

/** For tests that move nothing through the lane: whoever touches it finds out at once. */
const NO_LANES = new Proxy(
  {},
  {
    get: (_target, name) => {
      throw new Error(`This test has no lanes, but something wanted lanes.${String(name)}`);
    },
  },
) as Lanes;

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return undefined;
  return response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
}
