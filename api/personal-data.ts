import * as schemas from '../contracts/schemas';
import { Erasures, type Erasure } from '../users/erasing';
import { Users } from '../users/store';
import { onEveryShard } from './all-shards';
import { requireCaller } from './auth';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { byStaff, findUser, staffView, usernameParameter, type StaffDeps } from './staff';

/** Finding a user by what is personal, and forgetting it. */
export function personalDataRoutes(deps: StaffDeps): Route[] {
  const users = new Users(deps.shards, deps.sealer);
  const erasures = new Erasures(deps.shards, deps.sealer);

  return [
    route({
      id: 'findUsers',
      method: 'post',
      path: '/v1/ops/users/search',
      tag: 'Ops',
      summary: 'Find users by their e-mail address',
      description: 'By exactly this one, of all shards. A shard that is not reachable is named in a 503.',
      auth: 'users:find',
      body: schemas.userSearch,
      answers: { 200: { description: 'Those who have it', schema: schemas.staffUserList } },
      async handler({ res, body }) {
        const found = await onEveryShard(deps.shards, (shard) => users.byEmail(shard, body.email));
        sendJson(res, 200, { data: found.flat().map(staffView) });
      },
    }),
    route({
      id: 'erasePersonalData',
      method: 'delete',
      path: '/v1/users/:username/personal-data',
      tag: 'Users',
      summary: 'Forget who a user is',
      description:
        'Two admins have to ask for it within a day, for a user with no money and nothing pending. Their key is destroyed: ' +
        'nobody can read their name, e-mail address, bank accounts and messages any more, or sign in. The books stay.',
      auth: 'personal-data:erase',
      pathParameters: usernameParameter,
      answers: {
        200: { description: 'Erased', schema: schemas.erasure },
        202: { description: 'Proposed: another admin has to ask for the same', schema: schemas.erasure },
      },
      problems: ['not_found', 'own_request', 'not_erasable', 'outcome_unknown'],
      async handler({ req, res }) {
        const user = await findUser(users, req);
        if (!(await erasures.isPossible(user.id))) throw new Problem('not_erasable');
        const by = await byStaff(req, deps, user);
        const isSecond = await erasures.isProposedByAnother(user.id, requireCaller(req).userId);
        if (!isSecond) await erasures.propose(user.id, by);
        else if (!(await erasures.confirm(user, by))) throw new Problem('not_erasable');
        deps.names.forget(user.id);
        deps.callers.forget(user.id);
        const erasure = (await erasures.find(user.id))!;
        sendJson(res, erasure.state === 'erased' ? 200 : 202, erasureView(erasure));
      },
    }),
  ];
}

function erasureView({ userId, state, proposedAt, erasedAt }: Erasure): schemas.ErasureView {
  return { userId, state, proposedAt: proposedAt.toISOString(), erasedAt: erasedAt?.toISOString() ?? null };
}
