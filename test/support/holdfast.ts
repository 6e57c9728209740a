import { randomUUID } from 'node:crypto';
import { msToTs } from '@temporalio/common/lib/time';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Worker } from '@temporalio/worker';
import pino, { type Logger } from 'pino';
import { createActivities } from '../../activities';
import { createHttpRail } from '../../bank/http-rail';
import type { Rail } from '../../bank/rail';
import { BANK_TASK_QUEUE, PAYMENT_TASK_QUEUE, type PaymentSettings } from '../../contracts/payments';
import { Lanes, type LaneSettings, type PostGroup } from '../../api/lane';
import { LANE_TASK_QUEUE, TASK_QUEUE, transferWorkflowId, type TransferSettings } from '../../contracts/transfers';
import { shardOfUsername, transactionId } from '../../ledger/identity';
import { GroupPosts } from '../../ledger/group-posts';
import { Names } from '../../ledger/names';
import { openShards, type Shards } from '../../ledger/shards';
import { bundleKindOf, createBankWorker, createWorker } from '../../worker';
import type { NamedKey } from '../../ledger/aes';
import type { Sealer } from '../../ledger/seal';
import type { Channel } from '../../notifications/channels';
import type { Notifier } from '../../notifications/deliver';
import { ensurePatiently } from '../../worker/ensure';
import { Owners } from '../../worker/owners';
import { payloadCodec, type PayloadKeys } from '../../worker/payload-codec';
import {
  monthsSchedule,
  notifySchedule,
  reconcileSchedule,
  snapshotsSchedule,
  sweepSchedule,
} from '../../worker/schedules';
import type { Tracing } from '../../tracing/opentelemetry';
import { connectTemporal, type Temporal } from '../../worker/temporal';
import { TestApi, type Answer, type TestUser } from './api';
import { cloneShards, type TestDatabase } from './database';
import { eventually } from './eventually';
import { workflowBundle } from './workflow-bundle';

export interface HoldfastOptions {
  lane?: Partial<LaneSettings>;
  transfers?: Partial<TransferSettings>;
  payments?: Partial<PaymentSettings>;
  /** The bank; without one nobody answers. */
  rail?: Rail;
  /** Where Temporal and Postgres are found, when something stands before them. */
  temporalAddress?: string;
  databaseUrl?: (database: TestDatabase, shard: number) => Promise<string>;
  /** How many databases the users are spread over. */
  shards?: number;
  sealKeys?: NamedKey[];
  payloads?: PayloadKeys;
  /** How long a post may wait for its shard. */
  patienceMs?: number;
  workers?: boolean;
  /** How people are told what happened. */
  channels?: Channel[] | ((sealer: Sealer) => Channel[]);
  tracing?: Tracing;
  log?: Logger;
}

export interface Fields {
  from: string;
  to: string;
  amount: string;
  message?: string;
}

export const UI_URL = 'https://temporal.example/ui';

const ALL_QUEUES: string[] = [LANE_TASK_QUEUE, TASK_QUEUE, PAYMENT_TASK_QUEUE, BANK_TASK_QUEUE];

const PAYMENTS: PaymentSettings = {
  attentionAfterMs: 1_500,
  slowBeatMs: 600_000,
  pollFirstMs: 1_000,
  pollMaxMs: 5_000,
  settleWithinMs: 600_000,
  approvalWithinMs: 600_000,
};

export const SWEEP_EVERY_MS = 3_600_000;

/**
 * An API process and a worker process in one: the API over HTTP, its lanes, and workers of both task queues, on a
 * database and in a Temporal namespace of their own, so that test files neither see nor serve each other's work.
 */
export class TestHoldfast {
  /** Whether the lane posts a group itself, as an API process does; otherwise its workflow has to. */
  postsGroups = true;
  private working: { taskQueue: string; worker: Worker; running: Promise<void> }[] = [];

  private constructor(
    readonly api: TestApi,
    /** What a person or another service sees of Temporal, whatever becomes of our own connection. */
    readonly outside: TestWorkflowEnvironment,
    readonly temporal: Temporal,
    readonly shards: Shards,
    readonly lanes: Lanes,
    /** Read at each use: a test may change them. */
    readonly lane: LaneSettings,
    readonly transfers: TransferSettings,
    private readonly groupPosts: GroupPosts,
    readonly payments: PaymentSettings,
    private readonly rail: Rail,
    readonly owners: Owners,
    readonly notifier: Notifier,
    readonly databases: TestDatabase[],
  ) {}

  static async start(options: HoldfastOptions = {}): Promise<TestHoldfast> {
    const address = process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']!;
    const log = options.log ?? pino({ level: process.env['HOLDFAST_TEST_LOG'] ?? 'silent' });
    const databases = await cloneShards(options.shards ?? 1);
    const urls = await Promise.all(
      databases.map(async (each, shard) => (await options.databaseUrl?.(each, shard)) ?? each.appUrl),
    );
    const shards = openShards({ urls, log, patienceMs: options.patienceMs ?? 3_000 });
    const namespace = `test-${randomUUID()}`;
    const { payloads } = options;
    const connectionOptions = { address: options.temporalAddress ?? address };
    const tracing = options.tracing?.temporal;
    const temporal = await connectTemporal({ connectionOptions, namespace, log, payloads, tracing });
    const outside = await TestWorkflowEnvironment.createFromExistingServer({ address, namespace });
    await makeNamespace(outside, namespace);

    const lane = { deadlineMs: 5_000, maxQueued: 10_000, maxGroup: 500, groupsInFlight: 8, ...options.lane };
    const transfers = { groupMaxAgeMs: 4_000, attentionAfterMs: 1_000, slowBeatMs: 600_000, ...options.transfers };
    const payments = { ...PAYMENTS, ...options.payments };
    const rail = options.rail ?? createHttpRail({ url: 'http://127.0.0.1:1', apiKey: 'none', webhookSecrets: [] });
    const owners = new Owners(temporal.client, payments, log);
    const groupPosts = new GroupPosts(shards, log);
    const postGroup: PostGroup = (...group) => (all.postsGroups ? groupPosts.post(...group) : undefined);
    const lanes = new Lanes({ client: temporal.client, shards, log, settings: lane, transfers, postGroup });
    const codec = payloads && { ...payloadCodec(payloads), uiUrl: UI_URL };
    const deps = { shards, log, names: new Names(shards), owners, rail, codec };
    const api = await TestApi.start({ lanes, database: databases[0]!, deps, sealKeys: options.sealKeys });
    const { channels = [] } = options;
    const notifier = {
      channels: typeof channels === 'function' ? channels(api.deps.sealer) : channels,
      log,
      maxAttempts: 3,
      firstRetryMs: 50,
      workflowUrl: api.deps.workflowUrl,
    };
    const all = new TestHoldfast(
      api,
      outside,
      temporal,
      shards,
      lanes,
      lane,
      transfers,
      groupPosts,
      payments,
      rail,
      owners,
      notifier,
      databases,
    );
    await ensurePatiently(temporal, all.schedules(), log);
    if (options.workers ?? true) await all.startWorkers();
    return all;
  }

  async close(): Promise<void> {
    await this.lanes.drain();
    await this.stopWorkers();
    await this.temporal.connection.close();
    await this.outside.teardown();
    await this.api.close();
    // The first is the API's, which has dropped it.
    await Promise.all(this.databases.slice(1).map((database) => database.drop()));
  }

  /** As the API's own worker, and as a worker process. */
  async startWorkers(taskQueues = ALL_QUEUES): Promise<void> {
    const { shards, groupPosts, notifier } = this;
    const { client } = this.temporal;
    const activities = createActivities({
      shards,
      client,
      log: this.api.deps.log,
      groupPosts,
      rail: this.rail,
      owners: this.owners,
      sealer: this.api.deps.sealer,
      notifier,
    });
    this.postsGroups ||= taskQueues.includes(LANE_TASK_QUEUE);
    const parts = { ...this.temporal, activities };
    const workflows = await workflowBundle(bundleKindOf(parts));
    for (const taskQueue of taskQueues) {
      const worker =
        taskQueue === BANK_TASK_QUEUE
          ? await createBankWorker({ ...parts, callsPerSecond: 1_000 })
          : await createWorker({ ...parts, taskQueue, workflowBundle: workflows });
      this.working.push({ taskQueue, worker, running: worker.run() });
    }
  }

  async stopWorkers(taskQueues = ALL_QUEUES): Promise<void> {
    if (taskQueues.includes(LANE_TASK_QUEUE)) this.postsGroups = false;
    const stopping = this.working.filter((each) => taskQueues.includes(each.taskQueue));
    this.working = this.working.filter((each) => !stopping.includes(each));
    for (const { worker } of stopping) worker.shutdown();
    await Promise.all(stopping.map(({ running }) => running));
  }

  sweepSettings() {
    return { everyMs: SWEEP_EVERY_MS, input: { shards: this.shards.count, youngMs: 0, settings: this.transfers } };
  }

  /** Too slow to meet by chance: a test runs what it wants to see. */
  schedules() {
    const { everyMs, input } = this.sweepSettings();
    const { count: shards } = this.shards;
    return [
      sweepSchedule(everyMs, input),
      notifySchedule(everyMs, { shards: 1 }),
      reconcileSchedule(everyMs, { shards, youngMs: 0 }),
      monthsSchedule({ shards }),
      snapshotsSchedule(everyMs, { shards }),
    ];
  }

  get database(): TestDatabase {
    return this.api.database;
  }

  transfer(user: TestUser, key: string, fields: Fields, headers: Record<string, string> = {}): Promise<Answer> {
    return this.api.post('/v1/transfers', fields, user.token, { 'idempotency-key': key, ...headers });
  }

  async bulk(user: TestUser, transfers: (Fields & { idempotencyKey: string })[]): Promise<Answer> {
    return this.api.post('/v1/transfers/bulk', { transfers }, user.token);
  }

  /** Two users of their own for a test, each with an SGD wallet, the first with money. */
  async pair(name: string, amount = '100.00'): Promise<[TestUser, TestUser]> {
    const [one, other] = await Promise.all([
      this.api.newUser(`${name}_a`, { wallets: ['SGD'], name: 'Personal Name' }),
      this.api.newUser(`${name}_b`, { wallets: ['SGD'], name: 'Personal Name' }),
    ]);
    await this.api.fund(one.username, 'SGD', amount);
    return [one, other];
  }

  async balance(user: TestUser, currency = 'SGD'): Promise<string> {
    const { status, body } = await this.api.get(`/v1/wallets/${user.username}.${currency}`, user.token);
    expect(status).toBe(200);
    return body.balance as string;
  }

  /** A user with an SGD wallet who lives on this shard. */
  async personOn(shard: number, name: string, amount = '100.00'): Promise<TestUser> {
    let username = name;
    for (let n = 0; shardOfUsername(username, this.shards.count) !== shard; n += 1) username = `${name}_${n}`;
    const user = await this.api.newUser(username, { wallets: ['SGD'], name: 'Personal Name' });
    await this.api.fund(username, 'SGD', amount);
    return user;
  }

  /** The transaction with its timeline, as its sender reads it. */
  async read(user: TestUser, id: string): Promise<Answer['body']> {
    const { status, body } = await this.api.get(`/v1/transactions/${id}`, user.token);
    expect({ id, status }).toEqual({ id, status: 200 });
    return body;
  }

  async becomes(user: TestUser, id: string, status: string, withinMs?: number): Promise<Answer['body']> {
    return eventually(
      async () => {
        const transaction = await this.read(user, id);
        expect(transaction.status).toBe(status);
        return transaction;
      },
      { withinMs },
    );
  }

  /** How often money moved for a transaction: never, or by its two entries. */
  async entriesOf(id: string): Promise<number> {
    const { db } = this.shards.forId(id)!;
    return (await db.selectFrom('entries').select('index').where('transaction_id', '=', id).execute()).length;
  }

  row(id: string) {
    const { db } = this.shards.forId(id)!;
    return db.selectFrom('transactions').selectAll().where('id', '=', id).executeTakeFirst();
  }

  idOf(user: TestUser, key: string): string {
    return transactionId(user.userId, key);
  }

  /** The workflow of one transfer, as a person at the Web UI has it. */
  workflowOf(id: string) {
    return this.outside.client.workflow.getHandle(transferWorkflowId(id));
  }
}

/** The server's front door learns of a new namespace a moment after it was registered. */
async function makeNamespace({ client }: TestWorkflowEnvironment, namespace: string): Promise<void> {
  await client.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
  await eventually(() => client.workflow.count(), { withinMs: 20_000 });
}

export const walletOf = (user: TestUser, currency = 'SGD') => `${user.username}.${currency}`;
