import { shardOfId } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { checkPassword, hashPassword } from '../users/passwords';
import { Users, type User } from '../users/store';
import { actingBy } from './acting';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { addressOf } from './rate-limits';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';

export function userRoutes(deps: Pick<ApiDeps, 'shards' | 'sealer' | 'callers' | 'logInGuard'>): Route[] {
  const { logInGuard } = deps;
  const users = new Users(deps.shards, deps.sealer);

  return [
    route({
      id: 'createUser',
      method: 'post',
      path: '/v1/users',
      tag: 'Users',
      summary: 'Sign up',
      description: 'A username never changes and is never given to anyone else.',
      auth: 'public',
      rate: 'login',
      body: schemas.newUser,
      answers: { 201: { description: 'The new user', schema: schemas.user } },
      problems: ['username_taken', 'overloaded'],
      async handler({ req, res, body: { password, ...facts } }) {
        const passwordHash = await hashPassword(password);
        const { requestId } = req.context;
        const from = { requestId, ...(req.ip !== undefined && { address: req.ip }) };
        const user = await users.create({ ...facts, passwordHash, roles: ['customer'] }, from);
        if (!user) throw new Problem('username_taken');
        sendJson(res, 201, userView(user));
      },
    }),
    route({
      id: 'getMe',
      method: 'get',
      path: '/v1/me',
      tag: 'Users',
      summary: 'Who am I',
      auth: 'profile:read',
      answers: { 200: { description: 'The user whose token this is', schema: schemas.user } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const user = await users.byId(requireCaller(req).userId);
        if (!user) throw new Problem('not_found');
        sendJson(res, 200, userView(user));
      },
    }),
    route({
      id: 'changePassword',
      method: 'put',
      path: '/v1/me/password',
      tag: 'Users',
      summary: 'Change the password',
      description: 'Ends all other sessions, and with `revokeApiKeys` all API keys. Without it they stay good.',
      auth: 'password:change',
      rate: 'login',
      body: schemas.passwordChange,
      answers: { 204: { description: 'Changed' } },
      problems: ['invalid_credentials', 'not_found', 'overloaded'],
      async handler({ req, res, body }) {
        const { userId, sessionId } = requireCaller(req);
        const user = await users.byId(userId);
        if (!user) throw new Problem('not_found');
        const who = { username: user.username, address: addressOf(req) };
        const isRight = () => checkPassword(body.currentPassword, user.passwordHash);
        const isTheirs = await logInGuard.through(who, async () => ((await isRight()) ? user : undefined));
        if (!isTheirs) throw new Problem('invalid_credentials');
        const hashes = { fromHash: user.passwordHash, toHash: await hashPassword(body.newPassword) };
        const change = { ...hashes, keepSession: sessionId, revokeApiKeys: body.revokeApiKeys };
        const changed = await users.changePassword(
          user.id,
          change,
          await actingBy(req, deps.sealer, shardOfId(userId)!),
        );
        if (!changed) throw new Problem('invalid_credentials', { detail: 'The password was changed meanwhile.' });
        deps.callers.forget(userId);
        sendNothing(res);
      },
    }),
  ];
}

function userView({ id, username, name, email, roles, createdAt }: User): schemas.UserView {
  return { id, username, name, email, roles, createdAt: createdAt.toISOString() };
}
