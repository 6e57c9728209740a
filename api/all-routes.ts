import { adjustmentRoutes } from './adjustments';
import { apiKeyRoutes } from './api-keys';
import { attentionRoutes } from './attention';
import { auditRoutes } from './audit';
import { bankAccountRoutes } from './bank-accounts';
import { bankWebhookRoutes } from './bank-webhooks';
import { codecRoutes } from './codec';
import { decisionRoutes } from './decisions';
import type { ApiDeps } from './deps';
import { entryRoutes } from './entries';
import { fundingRoutes } from './funding';
import { healthRoutes } from './health';
import { inboxRoutes } from './inbox';
import { limitRoutes } from './limits';
import { openApiRoute } from './openapi';
import { payeeRoutes } from './payees';
import { paymentRoutes } from './payments';
import { personalDataRoutes } from './personal-data';
import { reconciliationRoutes } from './reconciliations';
import { refundRoutes } from './refunds';
import type { Route } from './routes';
import { sessionRoutes } from './sessions';
import { staffRoutes } from './staff';
import { transactionRoutes } from './transactions';
import { transferRoutes } from './transfers';
import { userRoutes } from './users';
import { walletRoutes } from './wallets';

/** The whole API, the busiest first: Express tries its routes in this order. */
export function allRoutes(deps: ApiDeps): Route[] {
  const routes = [
    ...transferRoutes(deps),
    ...paymentRoutes(deps),
    ...bankWebhookRoutes(deps),
    ...transactionRoutes(deps),
    ...entryRoutes(deps),
    ...walletRoutes(deps),
    ...fundingRoutes(deps),
    ...bankAccountRoutes(deps),
    ...payeeRoutes(deps),
    ...refundRoutes(deps),
    ...decisionRoutes(deps),
    ...adjustmentRoutes(deps),
    ...attentionRoutes(deps),
    ...inboxRoutes(deps),
    ...reconciliationRoutes(deps),
    ...auditRoutes(deps),
    ...staffRoutes(deps),
    ...limitRoutes(deps),
    ...personalDataRoutes(deps),
    ...codecRoutes(deps),
    ...userRoutes(deps),
    ...sessionRoutes(deps),
    ...apiKeyRoutes(deps),
    ...healthRoutes(deps),
  ];
  return [...routes, openApiRoute(routes, API_VERSION)];
}

const API_VERSION = '1';
