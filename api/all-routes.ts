import type { ApiDeps } from './deps';
import { entryRoutes } from './entries';
import { healthRoutes } from './health';
import { openApiRoute } from './openapi';
import { payeeRoutes } from './payees';
import type { Route } from './routes';
import { sessionRoutes } from './sessions';
import { transactionRoutes } from './transactions';
import { transferRoutes } from './transfers';
import { userRoutes } from './users';
import { walletRoutes } from './wallets';

/** The whole API, the busiest first: Express tries its routes in this order. */
export function allRoutes(deps: ApiDeps): Route[] {
  const routes = [
    ...transferRoutes(deps),
    ...transactionRoutes(deps),
    ...entryRoutes(deps),
    ...walletRoutes(deps),
    ...payeeRoutes(deps),
    ...userRoutes(deps),
    ...sessionRoutes(deps),
    ...healthRoutes(deps),
  ];
  return [...routes, openApiRoute(routes, API_VERSION)];
}

const API_VERSION = '1';
