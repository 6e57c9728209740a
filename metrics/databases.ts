import type pg from 'pg';
import { Gauge } from 'prom-client';

const pools = new Map<number, Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount'>>();

export const poolConnections = new Gauge({
  name: 'holdfast_db_pool_connections',
  help: 'Connections for reading, by whether they are in use; and who waits for one.',
  labelNames: ['shard', 'state'],
  collect() {
    for (const [shard, pool] of pools) {
      this.set({ shard, state: 'busy' }, pool.totalCount - pool.idleCount);
      this.set({ shard, state: 'idle' }, pool.idleCount);
      this.set({ shard, state: 'waited_for' }, pool.waitingCount);
    }
  },
});

export function watchPool(shard: number, pool: pg.Pool): void {
  pools.set(shard, pool);
}

interface Followed {
  readonly health: { state: string; behindMs: number | null };
}

const replicas = new Map<number, Followed>();

export const replicaNear = new Gauge({
  name: 'holdfast_replica_near',
  help: 'Whether the replica is near enough to the primary to be asked.',
  labelNames: ['shard'],
  collect() {
    for (const [shard, { health }] of replicas) this.set({ shard }, health.state === 'near' ? 1 : 0);
  },
});

export const replicaBehind = new Gauge({
  name: 'holdfast_replica_behind_seconds',
  help: 'For how long the first block that the replica lacks has been there.',
  labelNames: ['shard'],
  collect() {
    this.reset();
    for (const [shard, { health }] of replicas) {
      if (health.behindMs !== null) this.set({ shard }, health.behindMs / 1_000);
    }
  },
});

export function watchReplica(shard: number, replica: Followed): void {
  replicas.set(shard, replica);
}
