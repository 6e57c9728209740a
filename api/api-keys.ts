import { z } from 'zod';
import { shardOfId } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { ApiKeys, type ApiKey } from '../users/api-keys';
import { actingBy } from './acting';
import { authenticate, mayDo, requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';
import { invalidRequest } from './validate';

const DAY_MS = 86_400_000;

export function apiKeyRoutes(deps: Pick<ApiDeps, 'shards' | 'sealer' | 'callers'>): Route[] {
  const keys = new ApiKeys(deps.shards, deps.sealer);

  return [
    route({
      id: 'createApiKey',
      method: 'post',
      path: '/v1/api-keys',
      tag: 'API keys',
      summary: 'Make a key for a service',
      description:
        'It acts as me, within its scopes, and never does more than I may by then. `key` is in this answer only: ' +
        'should it get lost, revoke it and make another.',
      auth: 'api-keys:manage',
      body: schemas.newApiKey,
      answers: { 201: { description: 'The key', schema: schemas.madeApiKey } },
      problems: ['too_many_api_keys'],
      async handler({ req, res, body: { name, scopes, expiresInDays } }) {
        const caller = requireCaller(req);
        refuseScopes(caller, scopes);
        const { userId, sessionId } = caller;
        const expiresAt = new Date(Date.now() + expiresInDays * DAY_MS);
        const wanted = { name, scopes: [...new Set(scopes)], expiresAt, sessionId };
        const made = await keys.make(userId, wanted, await actingBy(req, deps.sealer, shardOfId(userId)!));
        if (!made) {
          // Their session may have ended in this moment: then that is the answer.
          deps.callers.forget(userId);
          await authenticate(deps.callers, req, { changes: true });
          throw new Problem('too_many_api_keys');
        }
        sendJson(res, 201, { ...apiKeyView(made), key: made.key });
      },
    }),
    route({
      id: 'listApiKeys',
      method: 'get',
      path: '/v1/api-keys',
      tag: 'API keys',
      summary: 'My keys',
      description: 'Newest first, 200 at most, and without what is revoked. None of them shows the key itself.',
      auth: 'api-keys:manage',
      compress: true,
      answers: { 200: { description: 'Those that are not revoked', schema: schemas.apiKeyList } },
      async handler({ req, res }) {
        const found = await keys.list(requireCaller(req).userId);
        sendJson(res, 200, { data: found.map(apiKeyView) });
      },
    }),
    route({
      id: 'revokeApiKey',
      method: 'delete',
      path: '/v1/api-keys/:apiKeyId',
      tag: 'API keys',
      summary: 'Revoke a key',
      auth: 'api-keys:manage',
      pathParameters: {
        apiKeyId: {
          description: 'The id it was answered with',
          schema: z.string().min(1).meta({ example: 'ak_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
        },
      },
      answers: { 204: { description: 'Revoked' } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const { userId } = requireCaller(req);
        const id = String(req.params['apiKeyId']);
        const isRevoked =
          shardOfId(id) !== undefined &&
          (await keys.revoke(userId, id, await actingBy(req, deps.sealer, shardOfId(userId)!)));
        if (!isRevoked) throw new Problem('not_found');
        deps.callers.forget(userId);
        sendNothing(res);
      },
    }),
  ];
}

/** Nobody gives a key more than they have. */
function refuseScopes(caller: Caller, scopes: ApiKey['scopes']): void {
  const errors = scopes.flatMap((scope, index) =>
    mayDo(caller, scope) ? [] : [{ field: `/scopes/${index}`, message: 'is nothing that you may do yourself' }],
  );
  if (errors.length > 0) throw invalidRequest(errors);
}

function apiKeyView({ id, name, scopes, createdAt, lastUsedAt, expiresAt }: ApiKey): schemas.ApiKeyView {
  return {
    id,
    name,
    scopes,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    expiresAt: expiresAt.toISOString(),
  };
}
