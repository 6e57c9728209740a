import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../user-error';

/** Whom Postgres runs as: itself refuses to run as root. Undefined means: as ourselves. */
export interface RunAs {
  uid: number;
  gid: number;
}

const USER = 'postgres';

export function postgresUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  let ids = lookUp();
  if (ids === undefined) {
    const made = spawnSync(
      'useradd',
      ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER],
      {
        encoding: 'utf8',
      },
    );
    ids = lookUp();
    if (ids === undefined) {
      throw new UserError(
        `Postgres refuses to run as root, and the system user "${USER}" could not be made for it` +
          ` (${(made.stderr ?? made.error?.message ?? 'no useradd here').trim()}).`,
        `Make a user "${USER}" yourself, or run Holdfast as an ordinary user.`,
      );
    }
  }
  return ids;
}

/** The same user, but without making it: for looking at a folder, not for running something. */
export function likelyPostgresUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp() ?? { uid: -1, gid: -1 };
}

function lookUp(): RunAs | undefined {
  const ask = (flag: string) => Number(execFileSync('id', [flag, USER], { encoding: 'utf8', stdio: 'pipe' }).trim());
  try {
    return { uid: ask('-u'), gid: ask('-g') };
  } catch {
    return undefined;
  }
}

/** Whether that user may walk down to a folder (which need not exist yet). A home of mode 0700 on the way says no. */
export function canReach(folder: string, user: RunAs | undefined): boolean {
  if (user === undefined) return true;
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const stat = statSync(at, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const bits = stat.uid === user.uid ? stat.mode >> 6 : stat.gid === user.gid ? stat.mode >> 3 : stat.mode;
      if ((bits & 1) === 0) return false;
    }
    if (at === path.dirname(at)) return true;
  }
}
