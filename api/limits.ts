import type { Request } from 'express';
import { z } from 'zod';
import { parseWalletName, walletName } from '../contracts/ids';
import { LIMIT_KINDS, LIMIT_PERIODS, type DefaultLimits, type KindLimits, type LimitKind } from '../contracts/limits';
import { formatAmount } from '../contracts/money';
import * as schemas from '../contracts/schemas';
import { limitsOf, readLimits, readUsage, usedIn, type StoredLimits, type StoredUsage } from '../ledger/limits';
import type { NamedAccount } from '../ledger/names';
import { changeLimits } from '../users/limits';
import { actingBy } from './acting';
import { readAmount } from './amounts';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { limitView } from './passed-limits';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { sealNote } from './staff';
import { walletIdParameter } from './wallets';

interface LimitedRow {
  currency: string;
  limits: StoredLimits | null;
  limits_used: StoredUsage | null;
}
const READ = ['currency', 'limits', 'limits_used'] as const;

const path = '/v1/ops/wallets/:walletId/limits';
const kindParameter = { kind: { description: 'What is limited', schema: z.enum(LIMIT_KINDS) } };

type LimitDeps = Pick<ApiDeps, 'shards' | 'names' | 'sealer' | 'defaultLimits'>;

/** How much may be moved in a day and in a month: read by whose wallet it is, and changed by staff. */
export function limitRoutes(deps: LimitDeps): Route[] {
  const { shards, names, sealer, defaultLimits } = deps;

  async function find(req: Request): Promise<NamedAccount> {
    const name = parseWalletName(String(req.params['walletId']));
    const wallet = name && (await names.resolve(name));
    if (!wallet) throw new Problem('not_found');
    return wallet;
  }

  /** Whose limits they are must be somebody else. */
  async function findToChange(req: Request): Promise<{ wallet: NamedAccount; kind: LimitKind }> {
    const kind = LIMIT_KINDS.find((each) => each === req.params['kind']);
    const wallet = await find(req);
    if (!kind) throw new Problem('not_found');
    if (wallet.ownerId === requireCaller(req).userId) throw new Problem('own_request');
    return { wallet, kind };
  }

  async function staffView(wallet: NamedAccount): Promise<schemas.StaffLimitsView> {
    const { db } = shards.forId(wallet.accountId)!;
    const row = await db
      .selectFrom('accounts')
      .select(READ)
      .where('id', '=', wallet.accountId)
      .executeTakeFirstOrThrow();
    const own = Object.entries(readLimits(row.limits) ?? {}).map(([kind, limits]) => [
      kind,
      shown(limits, row.currency),
    ]);
    return {
      data: limitViews(row, walletName(wallet), defaultLimits),
      own: Object.fromEntries(own) as schemas.StaffLimitsView['own'],
    };
  }

  return [
    route({
      id: 'listLimits',
      method: 'get',
      path: '/v1/limits',
      tag: 'Wallets',
      summary: 'How much my wallets may still move today and this month',
      description: 'Days and months begin at midnight UTC. What has no limit is not listed.',
      auth: 'limits:read',
      answers: { 200: { description: 'The limits of all my wallets', schema: schemas.limitList } },
      async handler({ req, res }) {
        const { userId, username } = requireCaller(req);
        const rows = await shards
          .forId(userId)!
          .db.selectFrom('accounts')
          .select(READ)
          .where('owner_id', '=', userId)
          .orderBy('currency')
          .execute();
        const data = rows.flatMap((row) =>
          limitViews(row, walletName({ username, currency: row.currency }), defaultLimits),
        );
        sendJson(res, 200, { data });
      },
    }),
    route({
      id: 'getWalletLimits',
      method: 'get',
      path,
      tag: 'Ops',
      summary: 'The limits of a wallet, and which of them staff gave it',
      auth: 'limits:read-any',
      pathParameters: walletIdParameter,
      answers: { 200: { description: 'Its limits', schema: schemas.staffLimits } },
      problems: ['not_found'],
      async handler({ req, res }) {
        sendJson(res, 200, await staffView(await find(req)));
      },
    }),
    route({
      id: 'setWalletLimits',
      method: 'put',
      path: `${path}/:kind`,
      tag: 'Ops',
      summary: 'Give a wallet limits of its own',
      description:
        'For one kind of movement, in the place of all it had of that kind. `null` lifts a default; what is left out is as ' +
        'the default says. It holds from the next movement on, and what was counted before stays counted.',
      auth: 'limits:set',
      pathParameters: { ...walletIdParameter, ...kindParameter },
      body: schemas.limitsChange,
      answers: { 200: { description: 'As they now stand', schema: schemas.staffLimits } },
      problems: ['not_found', 'own_request'],
      async handler({ req, res, body: { reason, ...given } }) {
        const { wallet, kind } = await findToChange(req);
        const limits = readKindLimits(given, wallet.currency);
        const { accountId } = wallet;
        const shard = shards.forId(accountId)!;
        const change = { accountId, kind, limits, noteSealed: await sealNote(sealer, accountId, reason) };
        await changeLimits(shard, change, await actingBy(req, sealer, shard.number));
        sendJson(res, 200, await staffView(wallet));
      },
    }),
    route({
      id: 'unsetWalletLimits',
      method: 'delete',
      path: `${path}/:kind`,
      tag: 'Ops',
      summary: 'Let the defaults hold for a wallet again',
      auth: 'limits:set',
      pathParameters: { ...walletIdParameter, ...kindParameter },
      answers: { 200: { description: 'As they now stand', schema: schemas.staffLimits } },
      problems: ['not_found', 'own_request'],
      async handler({ req, res }) {
        const { wallet, kind } = await findToChange(req);
        const change = { accountId: wallet.accountId, kind, limits: null };
        const shard = shards.forId(wallet.accountId)!;
        await changeLimits(shard, change, await actingBy(req, sealer, shard.number));
        sendJson(res, 200, await staffView(wallet));
      },
    }),
  ];
}

function limitViews(row: LimitedRow, wallet: string, defaults: DefaultLimits): schemas.LimitView[] {
  const { currency } = row;
  const [limits, used, at] = [readLimits(row.limits), readUsage(row.limits_used), new Date()];
  return LIMIT_KINDS.flatMap((kind) => {
    const ofKind = limitsOf({ currency, limits }, kind, defaults);
    return LIMIT_PERIODS.flatMap((period) => {
      const limit = ofKind[period] ?? null;
      if (limit === null) return [];
      const counted = { limit, used: usedIn(period, used?.[kind], at) };
      return { wallet, ...limitView({ kind, period, currency, at, ...counted }) };
    });
  });
}

function readKindLimits(given: { day?: string | null; month?: string | null }, currency: string): KindLimits {
  const asked = LIMIT_PERIODS.filter((period) => given[period] !== undefined);
  return Object.fromEntries(
    asked.map((period) => [period, given[period] && readAmount(given[period], currency, `/${period}`)]),
  );
}

function shown(limits: KindLimits, currency: string): { day?: string | null; month?: string | null } {
  const asked = LIMIT_PERIODS.filter((period) => limits[period] !== undefined);
  return Object.fromEntries(asked.map((period) => [period, limits[period] && formatAmount(limits[period], currency)]));
}
