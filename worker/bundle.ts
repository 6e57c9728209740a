import { writeFile } from 'node:fs/promises';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { bundlePath } from '.';

/** Run by the build: bundles the workflows once, so that no process has to when it starts. */
async function main(): Promise<void> {
  for (const isSealed of [false, true]) for (const isTraced of [false, true]) await bundle(isSealed, isTraced);
}

async function bundle(isSealed: boolean, isTraced: boolean): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: require.resolve('../workflows'),
    ...(isSealed && { failureConverterPath: require.resolve('./failure-converter') }),
    ...(isTraced && { workflowInterceptorModules: [require.resolve('../workflows/tracing')] }),
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(bundlePath(isSealed, isTraced), code);
}

void main();
