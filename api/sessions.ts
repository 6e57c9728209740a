import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { shardOfId, USERNAME } from '../contracts/ids';
import { checkPassword } from '../users/passwords';
import { Sessions, type LiveSession, type RefreshedSession } from '../users/sessions';
import { Users } from '../users/store';
import { actingBy, clientOf, traceOf } from './acting';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { addressOf } from './rate-limits';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';

type SessionDeps = Pick<
  ApiDeps,
  'shards' | 'sealer' | 'tokens' | 'callers' | 'logInGuard' | 'unproven' | 'sessionTtlSeconds'
>;

export function sessionRoutes(deps: SessionDeps): Route[] {
  const users = new Users(deps.shards, deps.sealer);
  const sessions = new Sessions(deps.shards, deps.sealer, deps.sessionTtlSeconds);

  function sessionView({ refreshToken, expiresAt: refreshExpiresAt, ...session }: RefreshedSession) {
    const { accessToken, expiresAt } = deps.tokens.issue(session);
    return {
      accessToken,
      expiresAt: expiresAt.toISOString(),
      refreshToken,
      refreshExpiresAt: refreshExpiresAt.toISOString(),
    };
  }

  return [
    route({
      id: 'createSession',
      method: 'post',
      path: '/v1/sessions',
      tag: 'Users',
      summary: 'Sign in',
      description:
        'Gives an access token for `Authorization: Bearer …`. Before it expires, `refreshToken` gives another one.',
      auth: 'public',
      rate: 'login',
      body: schemas.credentials,
      answers: { 201: { description: 'A session', schema: schemas.session } },
      problems: ['invalid_credentials', 'user_frozen', 'overloaded'],
      async handler({ req, res, body }) {
        const username = body.username.toLowerCase();
        const user = await deps.logInGuard.through({ username, address: addressOf(req) }, async () => {
          const found = USERNAME.test(username) ? await users.byUsername(username) : undefined;
          return (await checkPassword(body.password, found?.passwordHash)) ? found : undefined;
        });
        if (!user) throw new Problem('invalid_credentials');
        if (user.status === 'frozen') throw new Problem('user_frozen');
        const { id: userId, roles } = user;
        const by = { actorId: userId, ...(await traceOf(req, deps.sealer, userId)) };
        const started = await sessions.start(user, clientOf(req), by);
        if (!started) {
          const now = await users.byId(userId);
          throw new Problem(now?.status === 'frozen' ? 'user_frozen' : 'invalid_credentials');
        }
        sendJson(res, 201, sessionView({ ...started, userId, username, roles }));
      },
    }),
    route({
      id: 'refreshSession',
      method: 'post',
      path: '/v1/sessions/refresh',
      tag: 'Users',
      summary: 'Go on with a session',
      description:
        'Gives a new access token and a new refresh token, and uses the old one up. One that is used a second time ends ' +
        'the session: it has been in two hands.',
      auth: 'public',
      body: schemas.refreshRequest,
      answers: { 200: { description: 'The session, with new tokens', schema: schemas.session } },
      problems: ['invalid_refresh_token'],
      async handler({ req, res, body }) {
        const { refreshToken: token } = body;
        const refresh = () => sessions.refresh(token, clientOf(req), (userId) => traceOf(req, deps.sealer, userId));
        const refreshed = await (sessions.isMarked(token) ? refresh() : deps.unproven.through(addressOf(req), refresh));
        if (!refreshed) throw new Problem('invalid_refresh_token');
        sendJson(res, 200, sessionView(refreshed));
      },
    }),
    route({
      id: 'listSessions',
      method: 'get',
      path: '/v1/sessions',
      tag: 'Users',
      summary: 'Where I am signed in',
      description: 'Newest first, 200 at most.',
      auth: 'sessions:manage',
      answers: { 200: { description: 'My sessions', schema: schemas.liveSessionList } },
      async handler({ req, res }) {
        const { userId, sessionId } = requireCaller(req);
        const found = await sessions.list(userId);
        sendJson(res, 200, { data: found.map((each) => liveSessionView(each, each.id === sessionId)) });
      },
    }),
    route({
      id: 'endSession',
      method: 'delete',
      path: '/v1/sessions/:sessionId',
      tag: 'Users',
      summary: 'Sign out',
      description: 'Of this session, or of another one of mine. Its tokens are no longer good.',
      auth: 'sessions:manage',
      pathParameters: {
        sessionId: {
          description: 'An id as listed, or `current`',
          schema: z.string().min(1).meta({ example: 'current' }),
        },
      },
      answers: { 204: { description: 'It has ended' } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const { userId, sessionId } = requireCaller(req);
        const asked = String(req.params['sessionId']);
        const id = asked === 'current' ? sessionId : asked;
        const isId = id !== undefined && shardOfId(id) !== undefined;
        const hasEnded = isId && (await sessions.end(userId, id, await actingBy(req, deps.sealer, shardOfId(userId)!)));
        if (!hasEnded) throw new Problem('not_found');
        deps.callers.forget(userId);
        sendNothing(res);
      },
    }),
    route({
      id: 'endSessions',
      method: 'delete',
      path: '/v1/sessions',
      tag: 'Users',
      summary: 'Sign out everywhere',
      description: 'This session ends, too, and with `revokeApiKeys` all API keys. Without it they stay good.',
      auth: 'sessions:manage',
      query: schemas.endSessionsQuery,
      answers: { 204: { description: 'All have ended' } },
      async handler({ req, res, query }) {
        const { userId } = requireCaller(req);
        const ending = { why: 'logged_out' as const, revokeApiKeys: query.revokeApiKeys === 'true' };
        await sessions.endAll(userId, ending, await actingBy(req, deps.sealer, shardOfId(userId)!));
        deps.callers.forget(userId);
        sendNothing(res);
      },
    }),
  ];
}

function liveSessionView(session: LiveSession, current: boolean): schemas.LiveSessionView {
  return {
    id: session.id,
    current,
    address: session.address,
    userAgent: session.userAgent,
    createdAt: session.createdAt.toISOString(),
    lastUsedAt: session.lastUsedAt.toISOString(),
    expiresAt: session.expiresAt.toISOString(),
  };
}
