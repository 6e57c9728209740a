import { sql, type RawBuilder } from 'kysely';
import type { Shard, Shards } from '../../ledger/shards';
import type { Wish } from './load';
import { livesOn, type Person } from './people';
import type { PostgresServer } from './postgres-server';
import { until, type Stack } from './stack';
import { holdChain } from './trouble';
import type { Wire } from './wire';

/** The shards of one Postgres server of a stack, with who lives there, and the wires by which our processes reach them. */
export class Side {
  readonly server: PostgresServer;
  private readonly shards: Shard[];
  private readonly wires: Wire[];
  private readonly ownerUrls: string[];
  private holders: (() => Promise<void>)[] = [];

  constructor(
    number: number,
    { stack, shards, wires }: { stack: Stack; shards: Shards; wires: Wire[] },
    private readonly everybody: Person[],
  ) {
    const isHere = (shard: number) => shard % stack.servers.length === number;
    this.server = stack.servers[number]!;
    this.shards = shards.all.filter((shard) => isHere(shard.number));
    this.wires = wires.filter((_, shard) => isHere(shard));
    this.ownerUrls = stack.ownerUrls.filter((_, shard) => isHere(shard));
  }

  get people(): Person[] {
    return this.everybody.filter(livesOn(...this.shards.map(({ number }) => number)));
  }

  /** From now on nothing can be posted here; what tries to waits. */
  async hold(): Promise<void> {
    this.holders = await Promise.all(this.ownerUrls.map((ownerUrl) => holdChain({ ownerUrl })));
  }

  async letGo(): Promise<void> {
    await Promise.all(this.holders.splice(0).map((letGo) => letGo()));
  }

  /** From now on what is committed here is not known to who asked for it. */
  loseCommits(): void {
    for (const wire of this.wires) wire.holdFrom('toClient', 'COMMIT\0');
  }

  hearAgain(): void {
    for (const wire of this.wires) wire.comeBack();
  }

  /** Until on each shard somebody has waited to post. */
  async isWaitedFor(): Promise<void> {
    const waiting = sql`pg_stat_activity
      where datname = current_database() and application_name = 'holdfast-poster' and wait_event_type = 'Lock'`;
    await Promise.all(
      this.shards.map((shard) => until('somebody to wait', async () => (await count(shard, waiting)) > 0)),
    );
  }

  /** How many of these have their money held here, shard by shard. */
  tried(wishes: Wish[]): Promise<number[]> {
    return this.counts(sql`holds where status = 'held' and transaction_id = any(${idsOf(wishes)})`);
  }

  /** How many of these were credited, or refused, here. */
  received(wishes: Wish[]): Promise<number[]> {
    return this.counts(sql`transactions where incoming and completed_at is not null and id = any(${idsOf(wishes)})`);
  }

  /** How many of these that started here have ended. */
  ended(wishes: Wish[]): Promise<number[]> {
    return this.counts(
      sql`transactions where not incoming and completed_at is not null and id = any(${idsOf(wishes)})`,
    );
  }

  private counts(what: RawBuilder<unknown>): Promise<number[]> {
    return Promise.all(this.shards.map((shard) => count(shard, what)));
  }
}

const idsOf = (wishes: Wish[]) => wishes.map(({ id }) => id);

async function count({ db }: Shard, what: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql<{ n: bigint }>`select count(*) as n from ${what}`.execute(db);
  return Number(rows[0]!.n);
}
