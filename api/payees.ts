import * as schemas from '../contracts/schemas';
import { parseWalletName, walletName } from '../contracts/ids';
import { fieldOf } from '../ledger/seal';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { walletIdParameter } from './wallets';

/** Enough to see that it's the right person, too little to learn who somebody is. */
export function maskName(name: string): string {
  const words = name.trim().split(/\s+/).slice(0, 4);
  return words.map((word) => `${[...word][0] ?? ''}****`).join(' ');
}

export function payeeRoutes({ shards, sealer }: Pick<ApiDeps, 'shards' | 'sealer'>): Route[] {
  async function findOpenWallet(username: string, currency: string) {
    return shards
      .forUsername(username)
      .db.selectFrom('users')
      .innerJoin('accounts', 'accounts.owner_id', 'users.id')
      .select(['users.id', 'users.name_sealed'])
      .where('users.username', '=', username)
      .where('accounts.currency', '=', currency)
      .where('accounts.status', '=', 'open')
      .executeTakeFirst();
  }

  return [
    route({
      id: 'getPayee',
      method: 'get',
      path: '/v1/payees/:walletId',
      tag: 'Wallets',
      summary: 'Confirm a recipient before paying',
      description: 'Answers for exactly one open wallet, with its owner’s name masked. There is no way to search.',
      auth: 'payees:read',
      pathParameters: walletIdParameter,
      answers: { 200: { description: 'The recipient', schema: schemas.payee } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const name = parseWalletName(String(req.params['walletId']));
        const found = name && (await findOpenWallet(name.username, name.currency));
        if (!found) throw new Problem('not_found');
        const opened = await sealer.openAll([{ text: found.name_sealed, field: fieldOf.name(found.id) }]);
        sendJson(res, 200, { walletId: walletName(name), name: maskName(opened(found.name_sealed) ?? '') });
      },
    }),
  ];
}
