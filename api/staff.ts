import type { Request } from 'express';
import { z } from 'zod';
import { parseWalletName, shardOfId, USERNAME, walletName } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { GIVEN_BY_TWO } from '../contracts/permissions';
import { ROLES } from '../contracts/statuses';
import { houseOf } from '../ledger/data-keys';
import { fieldOf } from '../ledger/seal';
import { RoleProposals } from '../users/role-proposals';
import { Sessions } from '../users/sessions';
import { Users, type User } from '../users/store';
import { actingBy } from './acting';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { post, unexpected } from './posting';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';
import { walletIdParameter } from './wallets';

export type StaffDeps = Pick<ApiDeps, 'shards' | 'names' | 'sealer' | 'callers' | 'sessionTtlSeconds'>;

export const usernameParameter = {
  username: { description: 'As they sign in', schema: z.string().min(1).meta({ example: 'yunus' }) },
};

/** What staff changes about users and wallets; each change is told of in the audit, once. */
export function staffRoutes(deps: StaffDeps): Route[] {
  return [
    ...(['freeze', 'unfreeze'] as const).flatMap((kind) => [ofWallet(deps, kind), ofUser(deps, kind)]),
    roles(deps),
    endSessions(deps),
  ];
}

function ofWallet(deps: StaffDeps, kind: 'freeze' | 'unfreeze'): Route {
  return route({
    id: `${kind}Wallet`,
    method: 'post',
    path: `/v1/ops/wallets/:walletId/${kind}`,
    tag: 'Ops',
    summary: kind === 'freeze' ? 'Freeze a wallet' : 'Thaw a wallet',
    description:
      kind === 'freeze'
        ? 'Nothing new goes out of it or comes from other wallets; what was promised before still does.'
        : 'While its owner is frozen, it stays so.',
    auth: 'wallets:freeze',
    pathParameters: walletIdParameter,
    body: schemas.freezeRequest,
    answers: { 200: { description: 'As it now stands', schema: schemas.walletStatus } },
    problems: ['not_found', 'own_request', 'wallet_closed', 'outcome_unknown'],
    async handler({ req, res, body: { reason } }) {
      const name = parseWalletName(String(req.params['walletId']));
      const wallet = name && (await deps.names.resolve(name));
      if (!wallet) throw new Problem('not_found');
      refuseOwn(req, wallet.ownerId);
      const { accountId } = wallet;
      const shard = deps.shards.forId(accountId)!;
      const noteSealed = await sealNote(deps.sealer, accountId, reason);
      const by = await actingBy(req, deps.sealer, shard.number);
      const outcome = await post(shard, { kind, accountId, noteSealed, ...by });
      if (outcome.kind === 'refused' && outcome.reason === 'wallet_closed') throw new Problem('wallet_closed');
      if (outcome.kind !== 'wallet') throw unexpected(outcome);
      sendJson(res, 200, { id: walletName(wallet), status: outcome.status });
    },
  });
}

function ofUser(deps: StaffDeps, kind: 'freeze' | 'unfreeze'): Route {
  const users = new Users(deps.shards, deps.sealer);
  return route({
    id: `${kind}User`,
    method: 'post',
    path: `/v1/ops/users/:username/${kind}`,
    tag: 'Ops',
    summary: kind === 'freeze' ? 'Freeze a user' : 'Thaw a user',
    description:
      kind === 'freeze'
        ? 'With all their wallets. They can no longer sign in, and are signed out everywhere; none of their API keys works.'
        : 'A wallet that was frozen by itself stays so.',
    auth: 'users:freeze',
    pathParameters: usernameParameter,
    body: schemas.freezeRequest,
    answers: { 200: { description: 'As they now stand', schema: schemas.staffUser } },
    problems: ['not_found', 'own_request'],
    async handler({ req, res, body: { reason } }) {
      const user = await findUser(users, req);
      const noteSealed = await sealNote(deps.sealer, user.id, reason);
      await users.setFrozen(user.id, kind === 'freeze', noteSealed, await byStaff(req, deps, user));
      deps.callers.forget(user.id);
      sendJson(res, 200, staffView(await findUser(users, req)));
    },
  });
}

function roles(deps: StaffDeps): Route {
  const users = new Users(deps.shards, deps.sealer);
  const proposals = new RoleProposals(deps.shards);
  return route({
    id: 'setRoles',
    method: 'put',
    path: '/v1/ops/users/:username/roles',
    tag: 'Ops',
    summary: 'Say what a user may do',
    description:
      'All their roles, never one’s own. They hold within seconds, and at once for what staff changes. To make somebody ' +
      '`ops` or `admin`, two admins have to ask for the same within a day.',
    auth: 'roles:set',
    pathParameters: usernameParameter,
    body: schemas.rolesChange,
    answers: {
      200: { description: 'As they now stand', schema: schemas.staffUser },
      202: { description: 'Proposed: another admin has to ask for the same', schema: schemas.rolesProposal },
    },
    problems: ['not_found', 'own_request'],
    async handler({ req, res, body }) {
      const user = await findUser(users, req);
      const wanted = ROLES.filter((role) => body.roles.includes(role));
      const byTwo = wanted.filter((role) => GIVEN_BY_TWO.includes(role));
      const by = await byStaff(req, deps, user);
      if (byTwo.every((role) => user.roles.includes(role))) {
        // What they had may be taken from them in this moment: then this gives it back to nobody.
        await users.setRoles(user.id, wanted, by, byTwo);
      } else if (!(await proposals.confirm(user.id, wanted, by))) {
        await proposals.propose(user.id, wanted, by);
        const standing = await proposals.find(user.id);
        if (standing) return sendJson(res, 202, { ...standing, proposedAt: standing.proposedAt.toISOString() });
      }
      deps.callers.forget(user.id);
      sendJson(res, 200, staffView(await findUser(users, req)));
    },
  });
}

function endSessions(deps: StaffDeps): Route {
  const users = new Users(deps.shards, deps.sealer);
  const sessions = new Sessions(deps.shards, deps.sealer, deps.sessionTtlSeconds);
  return route({
    id: 'endUserSessions',
    method: 'delete',
    path: '/v1/ops/users/:username/sessions',
    tag: 'Ops',
    summary: 'Sign a user out everywhere',
    description: 'Their API keys are revoked, too. They may sign in again; to keep them out, freeze them.',
    auth: 'sessions:end-any',
    pathParameters: usernameParameter,
    answers: { 204: { description: 'All their sessions and API keys have ended' } },
    problems: ['not_found', 'own_request'],
    async handler({ req, res }) {
      const user = await findUser(users, req);
      const ending = { why: 'ended_by_staff' as const, revokeApiKeys: true };
      await sessions.endAll(user.id, ending, await byStaff(req, deps, user));
      deps.callers.forget(user.id);
      sendNothing(res);
    },
  });
}

/** Who does this to a user. */
export const byStaff = (req: Request, { sealer }: StaffDeps, { id }: User) => actingBy(req, sealer, shardOfId(id)!);

/** What staff writes is the house's, whomever it is about. */
export function sealNote(sealer: StaffDeps['sealer'], subject: string, note: string): Promise<string> {
  return sealer.seal(houseOf(shardOfId(subject)!), fieldOf.note(subject), note);
}

export async function findUser(users: Users, req: Request): Promise<User> {
  const username = String(req.params['username']).toLowerCase();
  const user = USERNAME.test(username) ? await users.byUsername(username) : undefined;
  if (!user) throw new Problem('not_found');
  refuseOwn(req, user.id);
  return user;
}

/** Nobody lifts what holds themselves back, or gives themselves more. */
function refuseOwn(req: Request, userId: string): void {
  if (requireCaller(req).userId === userId) throw new Problem('own_request');
}

export function staffView(user: Omit<User, 'name' | 'email'>): schemas.StaffUserView {
  const { id, username, roles: have, status, createdAt } = user;
  return { id, username, roles: have, status, createdAt: createdAt.toISOString() };
}
