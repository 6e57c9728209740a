import express from 'express';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { answerJobs } from './child';
import type { TransactionView } from '../contracts/schemas';

/** As long as a real answer. */
const ANSWER: TransactionView = {
  id: 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa',
  type: 'transfer',
  status: 'completed',
  from: 'payer_01.SGD',
  to: 'payer_02.SGD',
  amount: '12.50',
  currency: 'SGD',
  message: null,
  reason: null,
  linkedTo: null,
  bankAccount: null,
  createdAt: '2026-01-31T09:30:00.000Z',
  completedAt: '2026-01-31T09:30:00.000Z',
  links: { self: '/v1/transactions/tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' },
};

/** Express as it comes, with nothing behind it: what any API of ours that answers this body has to stay below. */
async function listen(): Promise<number> {
  const app = express();
  app.post('/v1/transfers', express.json(), (_req, res) => {
    res.status(201).json(ANSWER);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const port = listen();
answerJobs<'port', number>(() => port);
