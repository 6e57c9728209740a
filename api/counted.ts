import { errorCatalogue } from '../contracts/errors';
import { problems, requests, slowRequests } from '../metrics/instruments';
import { problemsOf, type Route } from './routes';

/** Every series of a route is there from the start: of one that begins with its first event, Prometheus sees no rise. */
export function countFromZero(routes: readonly Route[]): void {
  for (const row of routes) {
    const labels = { method: row.method.toUpperCase(), route: row.path };
    const codes = problemsOf(row);
    slowRequests.inc(labels, 0);
    for (const code of codes) problems.inc({ route: row.path, code }, 0);
    // What the objective counts as an error.
    for (const status of new Set(codes.map((code) => errorCatalogue[code].status))) {
      if (status >= 500) requests.zero({ ...labels, status: String(status) });
    }
  }
  problems.inc({ route: 'none', code: 'not_found' }, 0);
}
