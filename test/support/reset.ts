import { randomUUID } from 'node:crypto';
import type { TestHoldfast } from './holdfast';

/** As the Web UI's Reset does: the run starts over from its first task, in a new run. */
export async function resetToStart(holdfast: TestHoldfast, workflowId: string): Promise<void> {
  const { client, namespace } = holdfast.outside;
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const firstTask = events!.find((event) => event.workflowTaskCompletedEventAttributes)!;
  await client.workflowService.resetWorkflowExecution({
    namespace: namespace!,
    workflowExecution: { workflowId },
    reason: 'a test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: firstTask.eventId!,
  });
}
