import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { z } from 'zod';
import { accountSchema, newCreditSchema, orderSchema, statementQuerySchema, toJson } from '../wire';
import { balances, statementPage } from './account';
import { checkAccount } from './conventions';
import type { Core } from './core';
import type { Pool } from './database';
import { breakOff, faultyDoor, Refusal, requireKey } from './door';
import { faultPlanSchema, FAULTS, type Call, type Faults, type Subject } from './faults';
import type { Log } from './log';
import { pageRoutes } from './page';
import { listRequests } from './requests';
import { overview, requestView } from './views';

export interface ServerParts {
  core: Core;
  pool: Pool;
  faults: Faults;
  apiKey: string;
  log: Log;
}

/** The bank over HTTP: its protocol, which asks for the key, and what a person at this machine uses, which doesn't. */
export function createServer(parts: ServerParts): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use(logCalls(parts.log));
  app.use(express.json({ limit: '64kb' }));
  control(app, parts);
  protocol(app, parts);
  pageRoutes(app);
  app.use(() => {
    throw new Refusal(404, 'no_such_endpoint', 'There is nothing at this address.');
  });
  app.use(answerError(parts.log));
  return app;
}

function protocol(app: Express, { core, pool, faults, apiKey }: ServerParts): void {
  const key = requireKey(apiKey);

  for (const [path, kind] of [
    ['/v1/collections', 'collection'],
    ['/v1/payouts', 'payout'],
  ] as const) {
    const subject = (req: Request): Subject => ({ key: keyOf(bodyOf(req).reference, path), kind, call: 'request' });
    app.post(path, key, faultyDoor(faults, subject), async (req, res) => {
      const order = read(orderSchema, req.body);
      const submitted = await core.submit(kind, order);
      if ('lost' in submitted) return breakOff(res, 'late_request');
      if ('otherContent' in submitted) {
        throw new Refusal(409, 'reference_reused', 'This reference was used for something else.');
      }
      answer(res, submitted.fact, faults, subject(req));
    });
  }

  const about =
    (call: Call) =>
    (req: Request): Subject => ({ key: String(req.params.reference), call });
  const [looked, voided] = [about('look_up'), about('void')];
  app.get('/v1/requests/:reference', key, faultyDoor(faults, looked), async (req, res) => {
    send(res, await core.lookUp(looked(req).key));
  });
  app.post('/v1/requests/:reference/void', key, faultyDoor(faults, voided), async (req, res) => {
    answer(res, await core.void(voided(req).key), faults, voided(req));
  });

  const path = (req: Request): Subject => ({ key: req.path });
  app.post('/v1/account-checks', key, faultyDoor(faults, path), (req, res) => {
    send(res, checkAccount(read(accountSchema, req.body)));
  });
  app.get('/v1/statement', key, faultyDoor(faults, path), async (req, res) => {
    send(res, await statementPage(pool, read(statementQuerySchema, req.query)));
  });
}

function control(app: Express, { core, pool, faults }: ServerParts): void {
  app.get('/healthz', async (_req, res) => {
    await pool.query('select 1');
    send(res, { status: 'ok' });
  });
  app.get('/faults', (_req, res) => send(res, { ...faults.current, known: FAULTS }));
  app.put('/faults', async (req, res) => {
    await faults.set(read(faultPlanSchema, req.body));
    send(res, faults.current);
  });
  app.post('/v1/virtual-credits', async (req, res) => {
    send(res, await core.credit(read(newCreditSchema, req.body)));
  });
  app.get('/v1/balances', async (_req, res) => send(res, { balances: await balances(pool) }));
  app.get('/v1/requests', async (req, res) => {
    const { cursor, limit } = read(listQuery, req.query);
    const rows = await listRequests(pool, BigInt(cursor), limit);
    const nextCursor = rows.length === limit ? rows.at(-1)!.seq : undefined;
    send(res, { requests: rows.map(requestView), nextCursor });
  });
  app.get('/overview', async (_req, res) => send(res, await overview(pool)));
}

const listQuery = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,18}$/)
    .default('0'),
  limit: z.coerce.number().int().min(1).max(1_000).default(500),
});

/** The answer to a call that changes something, unless it gets lost. */
function answer(res: Response, fact: unknown, faults: Faults, subject: Subject): void {
  if (faults.areOn && faults.hitThisTime('answer_lost', subject)) breakOff(res, 'answer_lost');
  else send(res, fact);
}

function send(res: Response, body: unknown, status = 200): void {
  res.status(status).type('json').setHeader('Cache-Control', 'no-store').end(toJson(body));
}

function read<T>(schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Refusal(400, 'malformed_request', `${issue.path.join('.') || 'The body'}: ${issue.message}`);
}

const bodyOf = (req: Request) => (req.body ?? {}) as { reference?: unknown };
const keyOf = (reference: unknown, otherwise: string) => (typeof reference === 'string' ? reference : otherwise);

/** References, never names or account numbers. */
function logCalls(log: Log): RequestHandler {
  return (req, res, next) => {
    const began = performance.now();
    res.once('close', () => {
      const { reference } = bodyOf(req);
      const details = {
        method: req.method,
        path: req.path,
        ...(typeof reference === 'string' && { reference: reference.slice(0, 200) }),
        status: res.statusCode,
        ...(res.locals.brokenOff !== undefined && { brokenOff: res.locals.brokenOff as string }),
        ms: Math.round(performance.now() - began),
      };
      log.info(details, 'call');
    });
    next();
  };
}

function answerError(log: Log): ErrorRequestHandler {
  return (error: unknown, _req, res, _next) => {
    const refusal = error instanceof Refusal ? error : asRefusal(error);
    if (refusal.status >= 500 && !(error instanceof Refusal)) log.error({ err: error }, 'call failed');
    if (res.headersSent) res.destroy();
    else send(res, { error: { code: refusal.code, message: refusal.message } }, refusal.status);
  };
}

function asRefusal(error: unknown): Refusal {
  // Express's own reader of bodies says by the status what is wrong with one.
  const { status } = error as { status?: unknown };
  if (status === 400 || status === 413 || status === 415) {
    return new Refusal(status, 'malformed_request', 'The body could not be read.');
  }
  return new Refusal(500, 'bank_error', 'Something went wrong here.');
}
