import * as schemas from '../contracts/schemas';
import { parseWalletName, walletName } from '../contracts/ids';
import { virtualAccountOf } from '../payments/virtual-accounts';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { walletIdParameter } from './wallets';

export function fundingRoutes({ shards, names }: Pick<ApiDeps, 'shards' | 'names'>): Route[] {
  return [
    route({
      id: 'getFundingInstructions',
      method: 'get',
      path: '/v1/wallets/:walletId/funding-instructions',
      tag: 'Payments',
      summary: 'How to send money to one of my wallets from any bank',
      description:
        'The virtual account is the wallet’s own and never changes: what is paid into it reaches the wallet.',
      auth: 'wallets:read',
      pathParameters: walletIdParameter,
      answers: { 200: { description: 'Where to pay to', schema: schemas.fundingInstructions } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const name = parseWalletName(String(req.params['walletId']));
        const wallet = name && (await names.resolve(name));
        if (wallet?.ownerId !== requireCaller(req).userId) throw new Problem('not_found');
        const virtualAccount = await virtualAccountOf(shards.forId(wallet.accountId)!, wallet.accountId);
        sendJson(res, 200, { virtualAccount, currency: wallet.currency, reference: walletName(wallet) });
      },
    }),
  ];
}
