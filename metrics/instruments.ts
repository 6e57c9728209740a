import { Counter, Gauge, Histogram } from 'prom-client';

/** Every figure that a process counts by itself. No label has values that users, ids or texts could add to. */

/** From a cache's answer to a deadline. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From the lane's milliseconds to a payment that waits for people. */
const LONG_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600];
const MANY = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

export const requests = new Histogram({
  name: 'holdfast_http_request_seconds',
  help: 'Requests by route and status. 499: the client went away before its answer.',
  labelNames: ['method', 'route', 'status'],
  buckets: SECONDS,
});

export const slowRequests = new Counter({
  name: 'holdfast_http_slow_requests_total',
  help: 'Requests that took longer than HOLDFAST_SLOW_REQUEST_MS; the log has each.',
  labelNames: ['method', 'route'],
});

export const problems = new Counter({
  name: 'holdfast_http_problems_total',
  help: "Requests answered with a problem, by the catalogue's code.",
  labelNames: ['route', 'code'],
});

export const rateLimited = new Counter({
  name: 'holdfast_rate_limited_total',
  help: 'Requests refused as too many, by the policy that refused them.',
  labelNames: ['policy'],
});

export const rateLimitFallbacks = new Counter({
  name: 'holdfast_rate_limit_fallbacks_total',
  help: 'Requests that this process counted by itself, since Redis did not answer.',
});

export const transactions = new Histogram({
  name: 'holdfast_transaction_seconds',
  help: 'Transactions that ended, by kind and outcome, and their time from when they were first written down.',
  labelNames: ['type', 'status'],
  buckets: LONG_SECONDS,
});

export const laneGroups = new Histogram({
  name: 'holdfast_lane_group_transfers',
  help: 'Transfers in each part of a group.',
  buckets: MANY,
});

export const laneQueue = new Gauge({
  name: 'holdfast_lane_queue',
  help: 'Transfers that wait in this process for the next group.',
});

export const posts = new Histogram({
  name: 'holdfast_post_seconds',
  help: "Commits of this process's poster, with the wait for the chain's lock.",
  labelNames: ['shard'],
  buckets: SECONDS,
});

export const postCommands = new Histogram({
  name: 'holdfast_post_commands',
  help: 'Commands that one commit carried.',
  labelNames: ['shard'],
  buckets: MANY,
});

export const postRoundTrips = new Counter({
  name: 'holdfast_post_round_trips_total',
  help: 'Round trips to Postgres that commits took.',
  labelNames: ['shard'],
});

export const postFailures = new Counter({
  name: 'holdfast_post_failures_total',
  help: 'Commits that failed, and were tried again or apart: lost (the answer), unreachable, error.',
  labelNames: ['shard', 'kind'],
});

export const statements = new Histogram({
  name: 'holdfast_sql_seconds',
  help: 'SQL statements by what they do: their first word and their first table, or the name they were given.',
  labelNames: ['statement'],
  buckets: SECONDS,
});

export const slowStatements = new Counter({
  name: 'holdfast_sql_slow_total',
  help: 'Statements that took longer than HOLDFAST_SLOW_QUERY_MS; the log has each, with its plan now and then.',
  labelNames: ['statement'],
});

export const bankCalls = new Histogram({
  name: 'holdfast_bank_call_seconds',
  help: 'Calls to the bank by how they ended: ok, or the kind of the error.',
  labelNames: ['call', 'outcome'],
  buckets: SECONDS,
});

export const spans = new Counter({
  name: 'holdfast_spans_total',
  help: 'Spans of traces by what became of them: sent, failed (no answer of the collector), dropped (too many waited).',
  labelNames: ['outcome'],
});

export const webhooks = new Counter({
  name: 'holdfast_bank_webhook_events_total',
  help: "The bank's events by what became of them: stored, known (delivered before), refused (a delivery's signature).",
  labelNames: ['outcome'],
});
