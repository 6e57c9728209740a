import { SYSTEM } from '../../ledger/by';
import { createSealer } from '../../ledger/seal';
import { openShards } from '../../ledger/shards';
import { Erasures } from '../../users/erasing';
import { Users } from '../../users/store';
import type { Config } from '../config';

const silent = { info() {}, warn() {}, error() {} };

/** Whether everybody of the list is erased. */
export async function repeatErasures(
  config: Pick<Config, 'shards' | 'secrets'>,
  ids: readonly string[],
  say: (line: string) => void,
): Promise<boolean> {
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log: silent, poolSize: 1 });
  try {
    const sealer = createSealer({ shards, ...config.secrets });
    const [users, erasures] = [new Users(shards, sealer), new Erasures(shards, sealer)];
    let left = 0;
    for (const id of ids) {
      const user = await users.byId(id);
      if (!user) say(`${id}: is not there`);
      else if (user.status === 'erased') continue;
      else if ((await erasures.isPossible(id)) && (await erasures.repeat(user, SYSTEM))) say(`${id}: erased again`);
      else {
        left += 1;
        say(`${id}: has money, or something pending`);
      }
    }
    return left === 0;
  } finally {
    await shards.close();
  }
}
