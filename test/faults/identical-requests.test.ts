import { isGrpcServiceError } from '@temporalio/client';
import { workflowTypes } from '../../contracts/transfers';
import { checkBooks } from '../support/final-checks';
import { ask } from '../support/http';
import { makeWish, requestOf, type Told } from '../support/load';
import { makePeople } from '../support/people';
import { Stack, until } from '../support/stack';

/** gRPC's number of it. */
const NOT_FOUND = 5;

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({ apis: 2 });
});
afterAll(() => stack?.stop());

test('two hundred identical requests make one transaction, which outlives the history of its workflow', async () => {
  const people = await makePeople(stack, 4);
  const wish = makeWish(people, 'two-hundred-times');
  const send = (url: string) =>
    ask(`${url}/v1/transfers`, { method: 'POST', token: wish.person.token, ...requestOf(wish) });

  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => send(stack.apis[index % 2]!.url)));
  expect(answers.map(({ status }) => status)).toEqual(Array(200).fill(201));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  // The header says that it was there before the request came: two APIs may each have had one request before it was.
  const first = answers.filter(({ headers }) => headers['idempotent-replayed'] !== 'true').length;
  expect(first).toBeGreaterThanOrEqual(1);
  expect(first).toBeLessThanOrEqual(stack.apis.length);
  const told = new Map<string, Told>([[wish.key, { wish, status: 'completed' }]]);
  await checkBooks(stack, { people, told });

  await forgetGroups();
  // New processes remember nothing of it either.
  await stack.apis[0]!.kill();
  await stack.apis[0]!.start();
  for (const { url } of stack.apis) {
    const replay = await send(url);
    expect(replay.status).toBe(201);
    expect(replay.headers['idempotent-replayed']).toBe('true');
    expect(replay.body).toEqual(answers[0]!.body);
  }
  await checkBooks(stack, { people, told });
});

/** As if Temporal's retention had passed. */
async function forgetGroups(): Promise<void> {
  const client = await stack.client();
  const query = `WorkflowType = "${workflowTypes.transferGroup}"`;
  await until('the groups to be forgotten', async () => {
    const { executions } = await client.workflowService.listWorkflowExecutions({ namespace: 'default', query });
    for (const { execution } of executions) {
      await client.workflowService
        .deleteWorkflowExecution({ namespace: 'default', workflowExecution: execution })
        .catch((error: unknown) => {
          // The list may still show what is gone.
          if (!isGrpcServiceError(error) || Number(error.code) !== NOT_FOUND) throw error;
        });
    }
    return executions.length === 0;
  });
}
