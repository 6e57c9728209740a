import { existsSync } from 'node:fs';
import path from 'node:path';

/** The clone's folder, from the sources (cli/embedded) as from the build (dist/cli/embedded). */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${__dirname}`);
    folder = parent;
  }
  return folder;
}
