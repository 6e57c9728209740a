import * as schemas from '../contracts/schemas';
import { parseWalletName } from '../contracts/ids';
import { listEntries, ownAccount } from '../ledger/queries';
import { readHistory } from '../ledger/replica';
import { spanOf } from '../ledger/spans';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { HOW_TO_PAGE, limitsOf, nextCursorOf } from './pages';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { accountsOf, entryView, sealedIn } from './views';
import { walletIdParameter } from './wallets';

export function entryRoutes({ shards, names, sealer }: Pick<ApiDeps, 'shards' | 'names' | 'sealer'>): Route[] {
  return [
    route({
      id: 'listEntries',
      method: 'get',
      path: '/v1/wallets/:walletId/entries',
      tag: 'Wallets',
      summary: 'Every movement of one of my wallets',
      description: `Each with the balance before and after it. ${HOW_TO_PAGE}`,
      auth: 'wallets:read',
      pathParameters: walletIdParameter,
      query: schemas.entriesQuery,
      compress: true,
      answers: { 200: { description: 'A page of entries', schema: schemas.entryList } },
      problems: ['not_found'],
      async handler({ req, res, query }) {
        const caller = requireCaller(req);
        const shard = shards.forId(caller.userId)!;
        const name = parseWalletName(String(req.params['walletId']));
        const isOwn = name?.username === caller.username;
        const account = isOwn ? await ownAccount(shard.db, caller.userId, name.currency) : undefined;
        if (account === undefined) throw new Problem('not_found');
        const { type, limit } = query;
        const limits = limitsOf(query);
        const page = await readHistory(shard, account, async (db) =>
          listEntries(db, await spanOf(db, limits), { account: account.id, type, limit }),
        );
        const [known, opened] = await Promise.all([
          names.ofAccounts(accountsOf(page.rows)),
          sealer.openAll(page.rows.flatMap((row) => sealedIn({ ...row, id: row.transaction_id }))),
        ]);
        sendJson(res, 200, {
          data: page.rows.map((row) => entryView(row, shard.number, known, opened)),
          nextCursor: nextCursorOf(page),
        });
      },
    }),
  ];
}
