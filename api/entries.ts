import * as schemas from '../contracts/schemas';
import { parseWalletName } from '../contracts/ids';
import { listEntries, ownAccounts } from '../ledger/queries';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { HOW_TO_PAGE, nextCursorOf, readSpan } from './pages';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { accountsOf, entryView } from './views';
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
      auth: ['customer'],
      pathParameters: walletIdParameter,
      query: schemas.entriesQuery,
      compress: true,
      answers: { 200: { description: 'A page of entries', schema: schemas.entryList } },
      problems: ['not_found'],
      async handler({ req, res, query }) {
        const caller = requireCaller(req);
        const { db, number } = shards.forId(caller.userId)!;
        const name = parseWalletName(String(req.params['walletId']));
        const own = name?.username === caller.username ? await ownAccounts(db, caller.userId, name.currency) : [];
        const account = own[0];
        if (account === undefined) throw new Problem('not_found');
        const span = await readSpan(db, query);
        const page = await listEntries(db, span, { account, type: query.type, limit: query.limit });
        const known = await names.ofAccounts(accountsOf(page.rows));
        sendJson(res, 200, {
          data: page.rows.map((row) => entryView(row, number, known, sealer)),
          nextCursor: nextCursorOf(page),
        });
      },
    }),
  ];
}
