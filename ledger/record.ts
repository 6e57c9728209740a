import type { RecordCommand } from './commands';
import type { Shard } from './shards';

/** Changes a row and tells of it, in one commit. False when there was nothing to change: then nothing is told either. */
export async function record({ poster }: Pick<Shard, 'poster'>, what: Omit<RecordCommand, 'kind'>): Promise<boolean> {
  const [outcome] = await poster.post([{ ...what, kind: 'record' }]);
  if (outcome?.kind === 'recorded') return true;
  if (outcome?.kind === 'refused' && outcome.reason === 'unchanged') return false;
  throw new Error(`Unexpected answer of the books: ${JSON.stringify(outcome)}`);
}
