import { existsSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WorkflowBundlePath } from '@temporalio/worker';
import { bundleName, type BundleKind } from '../../worker';
import { bundleWorkflows } from '../../worker/bundle-workflows';

const PLAIN: BundleKind = { areSealed: false, areTraced: false };

/** The workflows as their sources are now. To bundle them takes seconds, so it is done once for all test files of a run. */
export async function workflowBundle(kind: BundleKind = PLAIN): Promise<WorkflowBundlePath> {
  const codePath = path.join(process.env['HOLDFAST_TEST_FOLDER']!, bundleName(kind));
  if (!existsSync(codePath)) {
    const part = `${codePath}.${process.pid}`;
    writeFileSync(part, await bundleWorkflows(kind));
    renameSync(part, codePath);
  }
  return { codePath };
}
