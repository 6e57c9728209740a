import { Gauge } from 'prom-client';

/** What Postgres and Temporal know, read for each scrape by worker processes. Several workers say the same: take the max. */

export const shardUp = new Gauge({
  name: 'holdfast_shard_up',
  help: "Whether the shard's database answered this scrape.",
  labelNames: ['shard'],
});

export const chainBlock = new Gauge({
  name: 'holdfast_chain_block',
  help: 'The newest block of the chain.',
  labelNames: ['shard'],
});

export const openTransactions = new Gauge({
  name: 'holdfast_open_transactions',
  help: 'Transactions that have not ended.',
  labelNames: ['shard', 'type', 'status'],
});

export const oldestOpen = new Gauge({
  name: 'holdfast_open_transaction_oldest_seconds',
  help: 'Age of the oldest transaction that has not ended.',
  labelNames: ['shard', 'type', 'status'],
});

export const holds = new Gauge({
  name: 'holdfast_holds',
  help: 'Holds not yet captured or released.',
  labelNames: ['shard'],
});

export const overdueHolds = new Gauge({
  name: 'holdfast_holds_overdue',
  help: 'Holds past their date: the sweep wakes their workflows.',
  labelNames: ['shard'],
});

export const inbox = new Gauge({
  name: 'holdfast_bank_inbox_waiting',
  help: "The bank's events that nothing was made of yet (new), or that wait for a person (needs_attention).",
  labelNames: ['shard', 'status'],
});

export const notificationsDue = new Gauge({
  name: 'holdfast_notifications_due',
  help: 'Messages to people that are due and not sent.',
  labelNames: ['shard'],
});

export const findings = new Gauge({
  name: 'holdfast_reconciliation_findings',
  help: 'Findings of the newest run of each part that ended.',
  labelNames: ['shard', 'scope'],
});

export const reconciledAgo = new Gauge({
  name: 'holdfast_reconciliation_age_seconds',
  help: 'Since each part was last carried out.',
  labelNames: ['shard', 'scope'],
});

export const scheduleAge = new Gauge({
  name: 'holdfast_schedule_age_seconds',
  help: 'Since a schedule last started its workflow.',
  labelNames: ['schedule'],
});

export const scheduleEvery = new Gauge({
  name: 'holdfast_schedule_every_seconds',
  help: 'How often it should.',
  labelNames: ['schedule'],
});

export const backlog = new Gauge({
  name: 'holdfast_task_queue_backlog',
  help: "Tasks that wait for a worker, by Temporal's account.",
  labelNames: ['queue', 'kind'],
});

export const backlogAge = new Gauge({
  name: 'holdfast_task_queue_backlog_seconds',
  help: 'Age of the oldest of them.',
  labelNames: ['queue', 'kind'],
});
