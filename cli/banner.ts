import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from './config';
import type { DataFolder } from './embedded/data-folder';
import { packageRoot } from './embedded/package-root';

/** The last thing `npm start` says: where everything is, and one command that moves money. */
export async function printBanner(config: Config, folder: DataFolder, embedded: { bank: boolean }): Promise<void> {
  const api = `http://localhost:${config.http.port}`;
  const { version } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const lines = [
    '',
    `Holdfast ${version} is running. Ctrl-C stops it.`,
    '',
    `  API              ${api}`,
    `  API docs         ${api}/docs`,
    ...(config.temporal.uiUrl ? [`  Temporal Web UI  ${config.temporal.uiUrl}`] : []),
    ...(embedded.bank ? [`  Bank simulator   ${config.bank.url}`] : []),
    `  Logs             ${folder.log('*')}`,
  ];
  if (!config.production) {
    const { demoTokens } = await import('./seed.js');
    const users = await demoTokens(config);
    lines.push(
      '',
      `Demo users, each with the password <name>-demo, and a token good for ${ttl(config.tokenTtlSeconds)}:`,
      '',
    );
    for (const { username, accessToken } of users) lines.push(`  ${username.padEnd(8)} ${accessToken}`);
    const house = users.find(({ username }) => username === 'house');
    if (house) lines.push('', 'Move some money:', '', ...curl(api, house.accessToken));
  }
  console.log([...lines, ''].join('\n'));
}

/** The key is made when the command runs, so pasting it again is another transfer; repeating one key would not be. */
function curl(api: string, token: string): string[] {
  return [
    `  curl -s ${api}/v1/transfers \\`,
    `    -H 'Authorization: Bearer ${token}' \\`,
    `    -H "Idempotency-Key: $(date +%s)-$RANDOM" -H 'Content-Type: application/json' \\`,
    `    -d '{"from":"house.SGD","to":"yunus.SGD","amount":"12.50","message":"Lunch"}'`,
  ];
}

function ttl(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${Math.round(seconds / 60)} min`;
}
