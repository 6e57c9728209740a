import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { isTransactionId, parseWalletName } from '../contracts/ids';
import { formatAmount } from '../contracts/money';
import { findTransaction, listTransactions, ownAccounts, timelineOf, type FoundTransaction } from '../ledger/queries';
import { mayDo, requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { HOW_TO_PAGE, nextCursorOf, readSpan } from './pages';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { showNotes, showTransactions } from './showing';
import { timelineView } from './views';

export const transactionIdParameter = {
  transactionId: {
    description: 'The id that the transaction was answered with',
    schema: z.string().min(1).meta({ example: 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
  },
};

export function transactionRoutes({ shards, names, sealer }: Pick<ApiDeps, 'shards' | 'names' | 'sealer'>): Route[] {
  const show = showTransactions({ names, sealer });

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
        'Whoever asked for it sees it from the start, the recipient of a transfer once it is completed. The roles ops, auditor and admin may ' +
        'read every transaction, and see the words of errors and the notes of decisions in its timeline.',
      auth: 'transactions:read',
      pathParameters: transactionIdParameter,
      compress: true,
      answers: { 200: { description: 'The transaction', schema: schemas.transactionWithTimeline } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const caller = requireCaller(req);
        const mayAny = mayDo(caller, 'transactions:read-any');
        const id = String(req.params['transactionId']);
        // A customer's own shard has all that is theirs, what came from other shards too.
        const shard = !isTransactionId(id) ? undefined : shards.forId(mayAny ? id : caller.userId);
        const row = shard && (await findTransaction(shard.db, id));
        if (!row || !(mayAny || isTheirs(row, caller))) throw new Problem('not_found');
        const [[shown], events, notes] = await Promise.all([
          show(shard.db, [row]),
          timelineOf(shard.db, id),
          mayAny ? showNotes(shard.db, id, sealer) : undefined,
        ]);
        sendJson(res, 200, {
          ...shown!,
          refunded: row.type === 'transfer' ? formatAmount(row.refunded, row.currency) : null,
          timeline: timelineView(events, notes),
        });
      },
    }),
    route({
      id: 'listTransactions',
      method: 'get',
      path: '/v1/transactions',
      tag: 'Transactions',
      summary: 'My transactions',
      description:
        'What my wallets sent and my deposits, in every status, and what my wallets were sent, once completed. ' +
        HOW_TO_PAGE,
      auth: 'transactions:list',
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
        sendJson(res, 200, {
          data: await show(db, page.rows),
          nextCursor: nextCursorOf(page),
        });
      },
    }),
  ];
}

function isTheirs(row: FoundTransaction, caller: Caller): boolean {
  if (row.from_owner === caller.userId || row.actor_id === caller.userId) return true;
  return row.to_owner === caller.userId && (row.status === 'completed' || row.type === 'deposit');
}
