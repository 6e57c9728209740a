import { ROLES, type Role } from '../contracts/statuses';
import { SYSTEM } from '../ledger/by';
import { createSealer } from '../ledger/seal';
import { openShards } from '../ledger/shards';
import { Users } from '../users/store';
import type { Config } from './config';
import { UserError } from './user-error';

const log = { info() {}, warn() {}, error() {} };

/** Makes the first admins, whom nobody else could: told of in the audit like any other change of roles. */
export async function setRoles(config: Config, name: string, wanted: readonly string[]): Promise<void> {
  const strange = wanted.find((role) => !ROLES.includes(role as Role));
  if (strange !== undefined) throw new UserError(`There is no role ${strange}.`, `Roles are ${ROLES.join(', ')}.`);
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log, poolSize: 1 });
  try {
    const users = new Users(shards, createSealer({ shards, ...config.secrets }));
    const user = await users.byUsername(name.toLowerCase());
    if (!user) throw new UserError(`There is no user ${name}.`, 'Sign them up first, with POST /v1/users.');
    const roles = ROLES.filter((role) => wanted.includes(role));
    await users.setRoles(user.id, roles, SYSTEM);
  } finally {
    await shards.close();
  }
}
