import * as schemas from '../contracts/schemas';
import { USERNAME } from '../contracts/ids';
import { checkPassword } from '../users/passwords';
import { Users } from '../users/store';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';

export function sessionRoutes(deps: Pick<ApiDeps, 'shards' | 'sealer' | 'tokens'>): Route[] {
  const users = new Users(deps.shards, deps.sealer);

  return [
    route({
      id: 'createSession',
      method: 'post',
      path: '/v1/sessions',
      tag: 'Users',
      summary: 'Sign in',
      description: 'Gives an access token for `Authorization: Bearer …`. It expires; sign in again for a new one.',
      auth: 'public',
      body: schemas.credentials,
      answers: { 201: { description: 'A session', schema: schemas.session } },
      problems: ['invalid_credentials', 'user_frozen', 'overloaded'],
      async handler({ res, body }) {
        const username = body.username.toLowerCase();
        const user = USERNAME.test(username) ? await users.byUsername(username) : undefined;
        const matches = await checkPassword(body.password, user?.passwordHash);
        if (!user || !matches) throw new Problem('invalid_credentials');
        if (user.status === 'frozen') throw new Problem('user_frozen');
        const { accessToken, expiresAt } = deps.tokens.issue({ userId: user.id, username, roles: user.roles });
        sendJson(res, 201, { accessToken, expiresAt: expiresAt.toISOString() });
      },
    }),
  ];
}
