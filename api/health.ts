import * as schemas from '../contracts/schemas';
import type { ApiDeps } from './deps';
import { route, type Route } from './routes';
import { sendJson } from './send';

const CHECK_TIMEOUT_MS = 2_000;

type Checked = [name: string, result: 'ok' | 'failed'];
const isOk = ([, result]: Checked) => result === 'ok';

type HealthDeps = Pick<ApiDeps, 'shards' | 'checks' | 'isStopping' | 'log'>;

export function healthRoutes({ shards, checks, isStopping, log }: HealthDeps): Route[] {
  /** What went wrong is for the log: the answer is public, and addresses of servers are nobody's business. */
  async function runCheck(name: string, check: () => Promise<void>): Promise<Checked> {
    try {
      await withTimeout(check());
      return [name, 'ok'];
    } catch (error) {
      log.warn({ dependency: name, err: error }, 'not ready');
      return [name, 'failed'];
    }
  }

  return [
    route({
      id: 'getHealth',
      method: 'get',
      path: '/healthz',
      tag: 'Health',
      summary: 'This process is alive',
      auth: 'public',
      rate: 'none',
      answers: { 200: { description: 'Alive', schema: schemas.health } },
      handler({ res }) {
        sendJson(res, 200, { status: 'ok' });
      },
    }),
    route({
      id: 'getReadiness',
      method: 'get',
      path: '/readyz',
      tag: 'Health',
      summary: 'This process can do its work',
      auth: 'public',
      rate: 'none',
      answers: {
        200: { description: 'Ready', schema: schemas.readiness },
        503: {
          description: 'Not ready: no shard answers, or no Temporal; or it is stopping',
          schema: schemas.readiness,
        },
      },
      async handler({ res }) {
        const [books, others] = await Promise.all([
          Promise.all(shards.all.map((shard) => runCheck(`shard_${shard.number}`, () => shard.check()))),
          Promise.all(Object.entries(checks).map(([name, check]) => runCheck(name, check))),
        ]);
        // A shard that is down must not send away the users of the others.
        const ready = books.some(isOk) && others.every(isOk);
        const status = isStopping() ? 'stopping' : ready ? 'ready' : 'not_ready';
        // A shard without its replica is served all the same.
        const replicas = shards.all.flatMap(({ number, replica }) => {
          return replica ? [[`shard_${number}`, replica.health] as const] : [];
        });
        sendJson(res, status === 'ready' ? 200 : 503, {
          status,
          checks: Object.fromEntries([...books, ...others]),
          replicas: Object.fromEntries(replicas),
        } satisfies schemas.ReadinessView);
      },
    }),
  ];
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
