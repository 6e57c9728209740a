import { writeFile } from 'node:fs/promises';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { bundlePath } from '.';

/** Run by the build: bundles the workflows once, so that no process has to when it starts. */
async function main(): Promise<void> {
  for (const isSealed of [false, true]) {
    const { code } = await bundleWorkflowCode({
      workflowsPath: require.resolve('../workflows'),
      ...(isSealed && { failureConverterPath: require.resolve('./failure-converter') }),
      logger: new DefaultLogger('WARN'),
    });
    await writeFile(bundlePath(isSealed), code);
  }
}

void main();
