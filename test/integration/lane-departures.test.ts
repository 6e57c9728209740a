import { Departures, type Departure } from '../../api/lane/departures';
import { TemporalDoor } from '../../api/lane/temporal-door';
import { groupItemsQuery, type TransferItem } from '../../contracts/transfers';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { silent } from '../support/people';

let holdfast: TestHoldfast;
let departures: Departures;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ shards: 2 });
  const door = new TemporalDoor(holdfast.temporal.client, holdfast.transfers, silent);
  departures = new Departures(door);
});
afterAll(() => holdfast?.close());

const board = (bytes = 100) => departures.board({ shard: 0, items: [] }, bytes);
const placeOf = ({ workflowId, part }: Departure) => ({ workflowId, part });

test('what is ready in the same moment, and what becomes ready during a start, leaves together', async () => {
  const first = [board(), board()];
  const { workflowId } = first[0]!;
  expect(first.map(placeOf)).toEqual([0, 1].map((part) => ({ workflowId, part })));
  await Promise.resolve();
  const second = [board(), board(), board()];
  const next = second[0]!.workflowId;
  expect(next).not.toBe(workflowId);
  expect(second.map(placeOf)).toEqual([0, 1, 2].map((part) => ({ workflowId: next, part })));
  for (const { start } of [...first, ...second]) expect(await start).toEqual({ kind: 'started' });
  for (const id of [workflowId, next]) await holdfast.outside.client.workflow.getHandle(id).result();
});

test('more than Temporal takes in one workflow leaves in several', async () => {
  const places = [board(600_000), board(600_000), board(300_000)];
  const [one, other] = [places[0]!.workflowId, places[1]!.workflowId];
  expect(places.map(placeOf)).toEqual([
    { workflowId: one, part: 0 },
    { workflowId: other, part: 0 },
    { workflowId: other, part: 1 },
  ]);
  for (const { start } of places) expect(await start).toEqual({ kind: 'started' });
});

test('transfers within and between shards share a workflow, and each is answered by itself', async () => {
  const [from, near, far] = await Promise.all([
    holdfast.personOn(0, 'depart_from'),
    holdfast.personOn(0, 'depart_near'),
    holdfast.personOn(1, 'depart_far'),
  ]);
  const { results } = (
    await holdfast.bulk(
      from,
      [near, far, near].map((to, n) => ({
        idempotencyKey: `depart-${n}`,
        from: walletOf(from),
        to: walletOf(to),
        amount: n === 2 ? '1000.00' : '1.00',
      })),
    )
  ).body as { results: { status: number; transaction?: TransferItem; problem?: { transaction: TransferItem } }[] };
  expect(results.map(({ status }) => status)).toEqual([201, 201, 422]);
  const ids = results.map(({ transaction, problem }) => (transaction ?? problem!.transaction).id);
  const { client } = holdfast.outside;
  // Visibility lags.
  await eventually(
    async () => {
      const carried: string[][] = [];
      for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = 'transferGroup'` })) {
        const items = await client.workflow.getHandle(workflowId).query(groupItemsQuery);
        carried.push(items.map(({ id }) => id).filter((id) => ids.includes(id)));
      }
      expect(carried.filter((some) => some.length > 0).map((some) => some.sort())).toEqual([[...ids].sort()]);
    },
    { withinMs: 30_000 },
  );
});
