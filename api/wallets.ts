import type { Request } from 'express';
import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { parseWalletName, walletName } from '../contracts/ids';
import { formatAmount } from '../contracts/money';
import type { WalletStatus } from '../contracts/statuses';
import type { Outcome } from '../ledger/commands';
import { balanceAt } from '../ledger/past';
import { readHistory } from '../ledger/replica';
import { openAccount } from '../users/accounts';
import { actingBy } from './acting';
import { requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';
import { invalidRequest } from './validate';

interface AccountRow {
  id: string;
  currency: string;
  status: WalletStatus;
  balance: bigint;
  held: bigint;
  version: bigint;
  owner_frozen: boolean;
  created_at: Date;
}
const READ = ['id', 'currency', 'status', 'balance', 'held', 'version', 'owner_frozen', 'created_at'] as const;

export const walletIdParameter = {
  walletId: {
    description: 'Username and currency, in any case',
    schema: z.string().min(1).meta({ example: 'yunus.SGD' }),
  },
};

export function walletRoutes({ shards, sealer }: Pick<ApiDeps, 'shards' | 'sealer'>): Route[] {
  const shardOf = (caller: Caller) => shards.forId(caller.userId)!;

  /** The caller's own wallet; anybody else's is as unknown as one that doesn't exist. */
  async function findOwn(caller: Caller, walletId: unknown): Promise<AccountRow> {
    const name = parseWalletName(String(walletId));
    const row =
      name?.username === caller.username
        ? await shardOf(caller)
            .db.selectFrom('accounts')
            .select(READ)
            .where('owner_id', '=', caller.userId)
            .where('currency', '=', name.currency)
            .executeTakeFirst()
        : undefined;
    if (!row) throw new Problem('not_found');
    return row;
  }

  async function refuseInactive(caller: Caller): Promise<void> {
    const { db } = shardOf(caller);
    const user = await db.selectFrom('users').select('status').where('id', '=', caller.userId).executeTakeFirst();
    if (user?.status === 'frozen') throw new Problem('user_frozen');
    if (user?.status === 'erased') throw new Problem('not_found');
  }

  async function changeStatus(req: Request, kind: 'close' | 'reopen', accountId: string): Promise<void> {
    const { number, poster } = shardOf(requireCaller(req));
    const [outcome] = await poster.post([{ kind, accountId, ...(await actingBy(req, sealer, number)) }]);
    if (outcome?.kind !== 'wallet') throw refusalOf(outcome);
  }

  return [
    route({
      id: 'openWallet',
      method: 'post',
      path: '/v1/wallets',
      tag: 'Wallets',
      summary: 'Open a wallet',
      description: 'Asking again gives the same wallet. A closed wallet is opened again, with its history.',
      auth: 'wallets:open',
      body: schemas.newWallet,
      answers: {
        201: { description: 'A new wallet', schema: schemas.wallet, headers: { Location: 'Its address' } },
        200: {
          description: 'The wallet there is already',
          schema: schemas.wallet,
          headers: { Location: 'Its address' },
        },
      },
      problems: ['not_found', 'user_frozen', 'wallet_frozen'],
      async handler({ req, res, body: { currency } }) {
        const caller = requireCaller(req);
        await refuseInactive(caller);
        const shard = shardOf(caller);
        const { created } = await openAccount(
          shard,
          caller.userId,
          currency,
          await actingBy(req, sealer, shard.number),
        );
        const name = walletName({ username: caller.username, currency });
        let row = await findOwn(caller, name);
        if (row.status === 'closed') {
          await changeStatus(req, 'reopen', row.id);
          row = await findOwn(caller, name);
        }
        res.setHeader('Location', `/v1/wallets/${name}`);
        sendJson(res, created ? 201 : 200, walletView(caller, row));
      },
    }),
    route({
      id: 'listWallets',
      method: 'get',
      path: '/v1/wallets',
      tag: 'Wallets',
      summary: 'My wallets',
      description: 'By currency. Closed ones are listed too.',
      auth: 'wallets:read',
      query: schemas.walletsQuery,
      compress: true,
      answers: { 200: { description: 'A page of wallets', schema: schemas.walletList } },
      async handler({ req, res, query: { cursor, limit } }) {
        const caller = requireCaller(req);
        const rows = await shardOf(caller)
          .db.selectFrom('accounts')
          .select(READ)
          .where('owner_id', '=', caller.userId)
          .$if(cursor !== undefined, (select) => select.where('currency', '>', readCursor(cursor!)))
          .orderBy('currency')
          .limit(limit + 1)
          .execute();
        const page = rows.slice(0, limit);
        const more = rows.length > limit;
        sendJson(res, 200, {
          data: page.map((row) => walletView(caller, row)),
          nextCursor: more ? writeCursor(page.at(-1)!.currency) : null,
        });
      },
    }),
    route({
      id: 'getWallet',
      method: 'get',
      path: '/v1/wallets/:walletId',
      tag: 'Wallets',
      summary: 'One of my wallets, with its balance',
      auth: 'wallets:read',
      pathParameters: walletIdParameter,
      answers: { 200: { description: 'The wallet', schema: schemas.wallet } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const caller = requireCaller(req);
        sendJson(res, 200, walletView(caller, await findOwn(caller, req.params['walletId'])));
      },
    }),
    route({
      id: 'getBalance',
      method: 'get',
      path: '/v1/wallets/:walletId/balance',
      tag: 'Wallets',
      summary: 'What one of my wallets holds, or held at any past moment',
      description: 'All that was in the wallet, what was reserved in it included.',
      auth: 'wallets:read',
      pathParameters: walletIdParameter,
      query: schemas.balanceQuery,
      answers: { 200: { description: 'The balance', schema: schemas.balance } },
      problems: ['not_found'],
      async handler({ req, res, query }) {
        const caller = requireCaller(req);
        const now = new Date();
        const at = query.at === undefined ? now : new Date(query.at);
        if (at > now) throw invalidRequest([{ field: 'query at', message: 'is not in the past' }]);
        const row = await findOwn(caller, req.params['walletId']);
        const atThatTime = () => readHistory(shardOf(caller), row, (db) => balanceAt(db, row.id, at));
        const minor = query.at === undefined ? row.balance : await atThatTime();
        const { currency } = row;
        sendJson(res, 200, {
          wallet: walletName({ username: caller.username, currency }),
          currency,
          balance: formatAmount(minor, currency),
          at: at.toISOString(),
        } satisfies schemas.BalanceView);
      },
    }),
    route({
      id: 'closeWallet',
      method: 'delete',
      path: '/v1/wallets/:walletId',
      tag: 'Wallets',
      summary: 'Close a wallet',
      description: 'Only an empty one, with nothing held. Its history stays, and opening it again brings it back.',
      auth: 'wallets:close',
      pathParameters: walletIdParameter,
      answers: { 204: { description: 'Closed, now or before' } },
      problems: ['not_found', 'wallet_not_empty', 'wallet_frozen'],
      async handler({ req, res }) {
        const caller = requireCaller(req);
        const row = await findOwn(caller, req.params['walletId']);
        await changeStatus(req, 'close', row.id);
        sendNothing(res);
      },
    }),
  ];
}

function walletView(caller: Caller, row: AccountRow): schemas.WalletView {
  const { currency } = row;
  return {
    id: walletName({ username: caller.username, currency }),
    currency,
    status: shownStatus(row),
    balance: formatAmount(row.balance, currency),
    held: formatAmount(row.held, currency),
    available: formatAmount(row.balance - row.held, currency),
    createdAt: row.created_at.toISOString(),
  };
}

/** With its owner, every wallet that is open is frozen. */
export function shownStatus({ status, owner_frozen: ownerFrozen }: Pick<AccountRow, 'status' | 'owner_frozen'>) {
  return ownerFrozen && status === 'open' ? 'frozen' : status;
}

function refusalOf(outcome: Outcome | undefined): Error {
  if (outcome?.kind === 'refused' && (outcome.reason === 'wallet_not_empty' || outcome.reason === 'wallet_frozen')) {
    return new Problem(outcome.reason);
  }
  return new Error(`Unexpected outcome of a wallet's change: ${JSON.stringify(outcome)}`);
}

const writeCursor = (currency: string) => Buffer.from(currency).toString('base64url');

function readCursor(cursor: string): string {
  const currency = Buffer.from(cursor, 'base64url').toString();
  if (!/^[A-Z]{3}$/.test(currency)) throw invalidRequest([{ field: 'query cursor', message: 'is not one of ours' }]);
  return currency;
}
