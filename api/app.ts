import compression from 'compression';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { codecCors } from './codec';
import { countFromZero } from './counted';
import type { ApiDeps } from './deps';
import { docsRouter } from './docs';
import { allRoutes } from './all-routes';
import { asProblem, Problem, PROBLEM_JSON, toProblemJson } from './problems';
import { requestContext } from './request-context';
import { serve, type Route } from './routes';
import { apiHeaders } from './security-headers';
import { sendJson, sendNothing } from './send';
import { tellOfUnnamedProxy } from './unnamed-proxy';

export type { ApiDeps } from './deps';

export function createApp(deps: ApiDeps): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.set('trust proxy', deps.trustProxy);
  if (deps.trustProxy === false) app.use(tellOfUnnamedProxy(deps.log));
  app.use(requestContext({ log: deps.log, slowMs: deps.slowRequestMs }, apiHeaders));
  app.use(codecCors(deps));
  const routes = allRoutes(deps);
  countFromZero(routes);
  const compress = compression({ threshold: 1024 });
  for (const row of routes) app[row.method](row.path, ...(row.compress ? [compress] : []), serve(row, deps));
  app.use('/docs', docsRouter());
  refuseOtherMethods(app, routes);
  app.use(() => {
    throw new Problem('not_found');
  });
  app.use(answerProblem);
  return app;
}

/** After all routes: a known address with a method it doesn't take. */
function refuseOtherMethods(app: Express, routes: readonly Route[]): void {
  for (const path of new Set(routes.map((row) => row.path))) {
    const methods = routes.filter((row) => row.path === path).map((row) => row.method.toUpperCase());
    const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
    app.all(path, (req, res) => {
      req.context.route = path;
      if (req.method !== 'OPTIONS') throw new Problem('method_not_allowed', { headers: { Allow: allow } });
      res.setHeader('Allow', allow);
      sendNothing(res);
    });
  }
}

/** The last one. Express knows an error handler by its four parameters. */
const answerProblem: ErrorRequestHandler = (error: unknown, req, res, _next) => {
  const problem = asProblem(error);
  req.context.problem = problem;
  if (res.headersSent) {
    // Half an answer is out: breaking off is the only way left to say that it is no good.
    res.destroy();
    return;
  }
  for (const name of Object.keys(problem.headers)) res.setHeader(name, problem.headers[name]!);
  const at = { requestId: req.context.requestId, path: req.path };
  sendJson(res, problem.status, toProblemJson(problem, at), PROBLEM_JSON);
};
