import { writeFile } from 'node:fs/promises';
import { bundlePath } from '.';
import { bundleWorkflows } from './bundle-workflows';

/** Run by the build: bundles the workflows once, so that no process has to when it starts. */
async function main(): Promise<void> {
  for (const areSealed of [false, true]) {
    for (const areTraced of [false, true]) {
      const kind = { areSealed, areTraced };
      await writeFile(bundlePath(kind), await bundleWorkflows(kind));
    }
  }
}

void main();
