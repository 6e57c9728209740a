import { z } from 'zod';
import { shardOfId } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { BankAccounts, type BankAccount } from '../payments/bank-accounts';
import { actingBy } from './acting';
import { requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';

/** Most checks are over by then, and their answer can already say so. */
const CHECK_WAIT_MS = 1_500;

export function bankAccountRoutes(deps: Pick<ApiDeps, 'shards' | 'sealer' | 'owners' | 'commandKey'>): Route[] {
  const accounts = new BankAccounts(deps.shards, deps.sealer, deps.commandKey);

  return [
    route({
      id: 'addBankAccount',
      method: 'post',
      path: '/v1/bank-accounts',
      tag: 'Payments',
      summary: 'Add a bank account of mine',
      description:
        'The bank is asked whether it exists and is its holder’s, before its first use. Adding it again gives the same, ' +
        'and has it checked if it has not been.',
      auth: 'bank-accounts:add',
      body: schemas.newBankAccount,
      answers: {
        201: { description: 'A new one', schema: schemas.bankAccount, headers: { Location: 'Its address' } },
        200: {
          description: 'The one there is already',
          schema: schemas.bankAccount,
          headers: { Location: 'Its address' },
        },
      },
      problems: ['not_found'],
      async handler({ req, res, body }) {
        const { userId } = requireCaller(req);
        const added = await accounts.add(userId, body, await actingBy(req, deps.sealer, shardOfId(userId)!));
        if (!added) throw new Problem('not_found');
        const { account, created } = added;
        if (account.status === 'unverified') await deps.owners.checkBankAccount(account.id, CHECK_WAIT_MS);
        res.setHeader('Location', `/v1/bank-accounts/${account.id}`);
        sendJson(res, created ? 201 : 200, bankAccountView((await accounts.find(userId, account.id)) ?? account));
      },
    }),
    route({
      id: 'listBankAccounts',
      method: 'get',
      path: '/v1/bank-accounts',
      tag: 'Payments',
      summary: 'My bank accounts',
      description: 'Newest first, 200 at most.',
      auth: 'bank-accounts:read',
      compress: true,
      answers: { 200: { description: 'All of them', schema: schemas.bankAccountList } },
      async handler({ req, res }) {
        const rows = await accounts.list(requireCaller(req).userId);
        sendJson(res, 200, { data: rows.map(bankAccountView) });
      },
    }),
    route({
      id: 'getBankAccount',
      method: 'get',
      path: '/v1/bank-accounts/:bankAccountId',
      tag: 'Payments',
      summary: 'One of my bank accounts',
      auth: 'bank-accounts:read',
      pathParameters: {
        bankAccountId: {
          description: 'The id it was answered with',
          schema: z.string().min(1).meta({ example: 'ba_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
        },
      },
      answers: { 200: { description: 'The bank account', schema: schemas.bankAccount } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const id = String(req.params['bankAccountId']);
        const found = shardOfId(id) === undefined ? undefined : await accounts.find(requireCaller(req).userId, id);
        if (!found) throw new Problem('not_found');
        sendJson(res, 200, bankAccountView(found));
      },
    }),
  ];
}

function bankAccountView(row: BankAccount): schemas.BankAccountView {
  return {
    id: row.id,
    number: row.masked_number,
    bankCode: row.bank_code,
    status: row.status,
    reason: row.reason,
    createdAt: row.created_at.toISOString(),
  };
}
