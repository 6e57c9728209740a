// Writes the dashboards: `node deploy/grafana/write.mjs`, or into the folder that it is given. A panel here is its title and
// its queries.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const graph = (title, unit, ...queries) => ({ type: 'timeseries', title, unit, queries });
const stat = (title, unit, ...queries) => ({ type: 'stat', title, unit, queries });
const table = (title, unit, ...queries) => ({ type: 'table', title, unit, queries });
/** A query and how its lines are named. */
const line = (expr, name) => ({ expr, name });

const rate = (metric, by, labels = '') => `sum by (${by}) (rate(${metric}${labels}[$__rate_interval]))`;
const quantile = (share, metric, by = '', labels = '') =>
  `histogram_quantile(${share}, sum by (le${by && `, ${by}`}) (rate(${metric}_bucket${labels}[$__rate_interval])))`;
const mean = (metric, by) => `${rate(`${metric}_sum`, by)} / ${rate(`${metric}_count`, by)}`;

const TRANSFERS = '{method="POST", route="/v1/transfers"}';

const dashboards = {
  'on-call': {
    title: 'Holdfast: on call',
    rows: {
      'Is something wrong?': [
        table('Alerts', 'none', line('ALERTS{alertstate="firing"}', '')),
        stat('Shards down', 'none', line('count(max by (shard) (holdfast_shard_up) == 0) or vector(0)', 'down')),
        stat(
          'Need attention',
          'none',
          line(
            'sum(max by (shard, type, status) (holdfast_open_transactions{status="needs_attention"})) or vector(0)',
            'transactions',
          ),
        ),
        stat('Findings', 'none', line('sum(max by (shard, scope) (holdfast_reconciliation_findings))', 'findings')),
        stat('Processes up', 'none', line('sum by (job) (up{job=~"holdfast-.*"})', '{{job}}')),
      ],
      Requests: [
        graph('Requests', 'reqps', line(rate('holdfast_http_request_seconds_count', 'status'), '{{status}}')),
        graph(
          'Problems of ours',
          'reqps',
          line(
            rate(
              'holdfast_http_problems_total',
              'code, route',
              '{code=~"internal|not_started|overloaded|outcome_unknown|shard_unavailable|shutting_down"}',
            ),
            '{{code}} {{route}}',
          ),
        ),
        graph(
          'Refused as too many',
          'reqps',
          line(rate('holdfast_rate_limited_total', 'policy'), '{{policy}}'),
          line(rate('holdfast_rate_limit_fallbacks_total', 'job'), 'counted without Redis'),
        ),
        graph(
          'Errors against the objective',
          'percentunit',
          line('holdfast:errors:ratio1h', 'an hour'),
          line('holdfast:errors:ratio3d', 'three days'),
        ),
        graph(
          'Transfers: time to answer',
          's',
          line(quantile(0.5, 'holdfast_http_request_seconds', '', TRANSFERS), 'half'),
          line(quantile(0.99, 'holdfast_http_request_seconds', '', TRANSFERS), '99 %'),
        ),
        graph(
          'Late transfers against the objective',
          'percentunit',
          line('holdfast:transfers_late:ratio1h', 'an hour'),
          line('holdfast:transfers_late:ratio3d', 'three days'),
        ),
        graph(
          'Slow requests',
          'reqps',
          line(rate('holdfast_http_slow_requests_total', 'method, route'), '{{method}} {{route}}'),
        ),
      ],
      Transactions: [
        graph('Ended', 'ops', line(rate('holdfast_transaction_seconds_count', 'type, status'), '{{type}} {{status}}')),
        graph(
          'Open',
          'none',
          line(
            'sum by (type, status) (max by (shard, type, status) (holdfast_open_transactions))',
            '{{type}} {{status}}',
          ),
        ),
        graph(
          'Lane: transfers in each part of a group',
          'none',
          line(mean('holdfast_lane_group_transfers', 'instance'), '{{instance}}'),
        ),
        graph('Lane: waiting transfers', 'none', line('max by (instance) (holdfast_lane_queue)', '{{instance}}')),
      ],
      'Processes and Temporal': [
        graph(
          'CPU',
          'percentunit',
          line('rate(process_cpu_seconds_total{job=~"holdfast-.*"}[$__rate_interval])', '{{job}} {{instance}}'),
        ),
        graph('Memory', 'bytes', line('process_resident_memory_bytes{job=~"holdfast-.*"}', '{{job}} {{instance}}')),
        graph('Event loop: 99 % of delays', 's', line('nodejs_eventloop_lag_p99_seconds', '{{job}} {{instance}}')),
        graph(
          'Task queues: age of the oldest task',
          's',
          line('max by (queue, kind) (holdfast_task_queue_backlog_seconds)', '{{queue}} {{kind}}'),
        ),
        graph(
          'Task queues: tasks that wait',
          'none',
          line('max by (queue, kind) (holdfast_task_queue_backlog)', '{{queue}} {{kind}}'),
        ),
        graph(
          'Schedules: age, in times of their own',
          'none',
          line(
            'max by (schedule) (holdfast_schedule_age_seconds) / max by (schedule) (holdfast_schedule_every_seconds)',
            '{{schedule}}',
          ),
        ),
        graph('Spans of traces', 'ops', line(rate('holdfast_spans_total', 'outcome'), '{{outcome}}')),
      ],
    },
  },
  books: {
    title: 'Holdfast: books',
    rows: {
      'The poster': [
        graph('Commits', 'ops', line(rate('holdfast_post_seconds_count', 'shard'), 'shard {{shard}}')),
        graph('Commands', 'ops', line(rate('holdfast_post_commands_sum', 'shard'), 'shard {{shard}}')),
        graph('Commands a commit', 'none', line(mean('holdfast_post_commands', 'shard'), 'shard {{shard}}')),
        graph('A commit: 99 %', 's', line(quantile(0.99, 'holdfast_post_seconds', 'shard'), 'shard {{shard}}')),
        graph(
          'Round trips a commit',
          'none',
          line(
            `${rate('holdfast_post_round_trips_total', 'shard')} / ${rate('holdfast_post_seconds_count', 'shard')}`,
            'shard {{shard}}',
          ),
        ),
        graph(
          'Commits that failed',
          'ops',
          line(rate('holdfast_post_failures_total', 'shard, kind'), 'shard {{shard}} {{kind}}'),
        ),
      ],
      SQL: [
        graph(
          'Time spent, by statement',
          's',
          line(`topk(10, ${rate('holdfast_sql_seconds_sum', 'statement')})`, '{{statement}}'),
        ),
        graph(
          'Mean, by statement',
          's',
          line(`topk(10, ${mean('holdfast_sql_seconds', 'statement')})`, '{{statement}}'),
        ),
        graph('Slow statements', 'ops', line(rate('holdfast_sql_slow_total', 'statement'), '{{statement}}')),
        graph(
          'Connections for reading',
          'none',
          line('sum by (shard, state) (holdfast_db_pool_connections)', 'shard {{shard}} {{state}}'),
        ),
      ],
      'Chains and replicas': [
        graph('Newest block', 'none', line('max by (shard) (holdfast_chain_block)', 'shard {{shard}}')),
        graph('Replicas: behind', 's', line('min by (shard) (holdfast_replica_behind_seconds)', 'shard {{shard}}')),
        graph('Replicas: near', 'none', line('max by (shard) (holdfast_replica_near)', 'shard {{shard}}')),
        graph(
          'Holds',
          'none',
          line('max by (shard) (holdfast_holds)', 'shard {{shard}}'),
          line('max by (shard) (holdfast_holds_overdue)', 'shard {{shard}} past their date'),
        ),
        graph(
          'Findings',
          'none',
          line('max by (shard, scope) (holdfast_reconciliation_findings)', 'shard {{shard}} {{scope}}'),
        ),
        graph(
          'Since it was reconciled',
          's',
          line('max by (shard, scope) (holdfast_reconciliation_age_seconds)', 'shard {{shard}} {{scope}}'),
        ),
      ],
    },
  },
  payments: {
    title: 'Holdfast: payments',
    rows: {
      'The bank': [
        graph('Calls', 'ops', line(rate('holdfast_bank_call_seconds_count', 'call, outcome'), '{{call}} {{outcome}}')),
        graph('Calls: 99 %', 's', line(quantile(0.99, 'holdfast_bank_call_seconds', 'call'), '{{call}}')),
        graph(
          'Calls that fail',
          'percentunit',
          line(
            `sum(rate(holdfast_bank_call_seconds_count{outcome!="ok"}[$__rate_interval])) / sum(rate(holdfast_bank_call_seconds_count[$__rate_interval]))`,
            'of all',
          ),
        ),
        graph('Events by webhook', 'ops', line(rate('holdfast_bank_webhook_events_total', 'outcome'), '{{outcome}}')),
        graph(
          'Inbox',
          'none',
          line('max by (shard, status) (holdfast_bank_inbox_waiting)', 'shard {{shard}} {{status}}'),
        ),
      ],
      'Deposits and withdrawals': [
        graph(
          'Ended',
          'ops',
          line(
            rate('holdfast_transaction_seconds_count', 'type, status', '{type=~"deposit|withdrawal"}'),
            '{{type}} {{status}}',
          ),
        ),
        graph(
          'From asked to ended: half of them',
          's',
          line(quantile(0.5, 'holdfast_transaction_seconds', 'type', '{type=~"deposit|withdrawal"}'), '{{type}}'),
        ),
        graph(
          'Open',
          'none',
          line(
            'sum by (type, status) (max by (shard, type, status) (holdfast_open_transactions{type=~"deposit|withdrawal"}))',
            '{{type}} {{status}}',
          ),
        ),
        graph(
          'Age of the oldest',
          's',
          line('max by (type, status) (holdfast_open_transaction_oldest_seconds)', '{{type}} {{status}}'),
        ),
        graph(
          'Messages to people that are due',
          'none',
          line('max by (shard) (holdfast_notifications_due)', 'shard {{shard}}'),
        ),
      ],
    },
  },
};

const SHAPES = { timeseries: { w: 8, h: 7 }, stat: { w: 3, h: 7 }, table: { w: 12, h: 7 } };
const datasource = { type: 'prometheus', uid: 'prometheus' };

function panelOf({ type, title, unit, queries }, gridPos) {
  const targets = queries.map(({ expr, name }, index) => ({
    refId: String.fromCharCode(65 + index),
    datasource,
    expr,
    legendFormat: name,
    ...(type !== 'timeseries' && { instant: true }),
    ...(type === 'table' && { format: 'table' }),
  }));
  const defaults = { unit, ...(type === 'timeseries' && { min: 0 }) };
  return { type, title, datasource, gridPos, targets, fieldConfig: { defaults, overrides: [] } };
}

/** From left to right, and on to the next line where one is full. */
function panelsOf(rows) {
  let y = 0;
  return Object.entries(rows).flatMap(([title, panels]) => {
    const heading = { type: 'row', title, collapsed: false, gridPos: { x: 0, y: y++, w: 24, h: 1 }, panels: [] };
    let x = 0;
    const placed = panels.map((panel) => {
      const { w, h } = SHAPES[panel.type];
      if (x + w > 24) [x, y] = [0, y + h];
      const made = panelOf(panel, { x, y, w, h });
      x += w;
      return made;
    });
    y += 7;
    return [heading, ...placed];
  });
}

const folder = process.argv[2] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), 'dashboards');
for (const [uid, { title, rows }] of Object.entries(dashboards)) {
  const panels = panelsOf(rows).map((panel, index) => ({ id: index + 1, ...panel }));
  const time = { from: 'now-6h', to: 'now' };
  const board = {
    uid: `holdfast-${uid}`,
    title,
    tags: ['holdfast'],
    schemaVersion: 39,
    editable: false,
    refresh: '30s',
  };
  const links = [{ type: 'dashboards', title: 'Holdfast', tags: ['holdfast'], asDropdown: false, includeVars: false }];
  writeFileSync(path.join(folder, `${uid}.json`), `${JSON.stringify({ ...board, time, links, panels }, null, 2)}\n`);
}
