import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { readHistory } from './history-json';

const HISTORIES = path.join(__dirname, '..', 'histories');

export function committedHistories(): { name: string; json: string }[] {
  const files = readdirSync(HISTORIES).filter((file) => file.endsWith('.json'));
  return files.map((file) => ({
    name: path.basename(file, '.json'),
    json: readFileSync(path.join(HISTORIES, file), 'utf8'),
  }));
}

/** Commits what has no history yet, when that is asked for. */
export function keepNew(recorded: Record<string, string>): void {
  if (process.env['HOLDFAST_RECORD_HISTORIES'] !== '1') return;
  for (const [name, json] of Object.entries(recorded)) {
    const file = path.join(HISTORIES, `${name}.json`);
    if (!existsSync(file)) writeFileSync(file, `${json}\n`);
  }
}

/** The kinds of events in a history, in order. */
export function eventTypes(json: string): string[] {
  return (JSON.parse(json) as { events: { eventType: string }[] }).events.map(({ eventType }) => eventType);
}

/** Only what is worth a person's attention: a replay that fails says so by itself. */
export function quietRuntime(): void {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  });
}

export function bundleOf(workflowsPath: string): Promise<WorkflowBundleOption> {
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR', () => undefined) });
}

/** Where the code would not do again what a history says was done: what went wrong, by the history's name. */
export async function replay(
  workflowBundle: WorkflowBundleOption,
  histories: { name: string; json: string }[],
): Promise<Record<string, string>> {
  const failed: Record<string, string> = {};
  const all = histories.map(({ name, json }) => ({ workflowId: name, history: readHistory(json) }));
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, all)) {
    if (error) failed[workflowId] = error.message;
  }
  return failed;
}
