import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { isTransactionId, parseWalletName } from '../contracts/ids';
import { ROLES, type Role } from '../contracts/statuses';
import { findTransaction, listTransactions, ownAccounts, timelineOf } from '../ledger/queries';
import { requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { HOW_TO_PAGE, nextCursorOf, readSpan } from './pages';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { accountsOf, timelineView, transactionView } from './views';

const STAFF: readonly Role[] = ['ops', 'auditor', 'admin'];

export function transactionRoutes({ shards, names, sealer }: Pick<ApiDeps, 'shards' | 'names' | 'sealer'>): Route[] {
  /** The caller's accounts, or the one that `wallet` names; somebody else's is as unknown as one that isn't there. */
  async function accountsToShow(caller: Caller, wallet: string | undefined): Promise<string[]> {
    const { db } = shards.forId(caller.userId)!;
    if (wallet === undefined) return ownAccounts(db, caller.userId);
    const name = parseWalletName(wallet);
    const accounts = name?.username === caller.username ? await ownAccounts(db, caller.userId, name.currency) : [];
    if (accounts.length === 0) throw new Problem('not_found');
    return accounts;
  }

  return [
    route({
      id: 'getTransaction',
      method: 'get',
      path: '/v1/transactions/:transactionId',
      tag: 'Transactions',
      summary: 'A transaction, with all that happened to it',
      description:
        'Its sender sees it from the start, its recipient once it is completed. The roles ops, auditor and admin may ' +
        'read every transaction, and see the words of errors in its timeline.',
      auth: ROLES,
      pathParameters: {
        transactionId: {
          description: 'The id that the transaction was answered with',
          schema: z.string().min(1).meta({ example: 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
        },
      },
      compress: true,
      answers: { 200: { description: 'The transaction', schema: schemas.transactionWithTimeline } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const caller = requireCaller(req);
        const id = String(req.params['transactionId']);
        const shard = isTransactionId(id) ? shards.forId(id) : undefined;
        const row = shard && (await findTransaction(shard.db, id));
        const isStaff = caller.roles.some((role) => STAFF.includes(role));
        const mayRead =
          isStaff ||
          row?.from_owner === caller.userId ||
          (row?.to_owner === caller.userId && row.status === 'completed');
        if (!row || !mayRead) throw new Problem('not_found');
        const [known, events] = await Promise.all([names.ofAccounts(accountsOf([row])), timelineOf(shard.db, id)]);
        sendJson(res, 200, { ...transactionView(row, known, sealer), timeline: timelineView(events, isStaff) });
      },
    }),
    route({
      id: 'listTransactions',
      method: 'get',
      path: '/v1/transactions',
      tag: 'Transactions',
      summary: 'My transactions',
      description: `What my wallets sent, in every status, and what they were sent, once completed. ${HOW_TO_PAGE}`,
      auth: ['customer'],
      query: schemas.transactionsQuery,
      compress: true,
      answers: { 200: { description: 'A page of transactions', schema: schemas.transactionList } },
      problems: ['not_found'],
      async handler({ req, res, query }) {
        const caller = requireCaller(req);
        const { db } = shards.forId(caller.userId)!;
        const [span, accounts] = await Promise.all([readSpan(db, query), accountsToShow(caller, query.wallet)]);
        const { type, status, limit } = query;
        const page = await listTransactions(db, span, { accounts, type, status, limit });
        const known = await names.ofAccounts(accountsOf(page.rows));
        sendJson(res, 200, {
          data: page.rows.map((row) => transactionView(row, known, sealer)),
          nextCursor: nextCursorOf(page),
        });
      },
    }),
  ];
}
