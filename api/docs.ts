import compression from 'compression';
import express, { Router } from 'express';
import absolutePath from 'swagger-ui-dist/absolute-path';
import { docsHeaders } from './security-headers';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Holdfast API: wallets and transfers</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** A file of its own, since the page's policy runs no script written into it. */
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
`;

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** The docs page and all it needs, from disk: it works with no network but this API. */
export function docsRouter(): Router {
  const router = Router({ strict: false });
  const folder = absolutePath();
  router.use((req, res, next) => {
    req.context.route = '/docs';
    for (const [name, value] of docsHeaders) res.setHeader(name, value);
    res.setHeader('Cache-Control', 'no-cache');
    next();
  }, compression());
  router.get('/', (_req, res) => {
    res.type('html').send(PAGE);
  });
  router.get('/start.js', (_req, res) => {
    res.type('js').send(START);
  });
  const files = express.static(folder, { index: false, redirect: false, cacheControl: false });
  router.get(
    FILES.map((name) => `/${name}`),
    files,
  );
  return router;
}
