import pg from 'pg';
import { APP_ROLE, BANK_DATABASE, BANK_ROLE, OWNER_ROLE, type PostgresPasswords } from './postgres';

/**
 * The owner makes and changes tables, the application only uses them, and neither is a superuser: so the application
 * can't undo what the migrations forbid it. Safe to run again.
 */
export async function ensureRoles(adminUrl: string, passwords: PostgresPasswords): Promise<void> {
  await withClient(adminUrl, async (client) => {
    for (const [role, password] of [
      [OWNER_ROLE, passwords.owner],
      [APP_ROLE, passwords.app],
    ] as const) {
      await ensureRole(client, role, password);
    }
  });
}

/** The bank simulator's database, which only its own role may enter. */
export async function ensureBankDatabase(adminUrl: string, password: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await ensureRole(client, BANK_ROLE, password);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [BANK_DATABASE]);
    if (rowCount === 0) await client.query(`create database ${BANK_DATABASE} owner ${BANK_ROLE}`);
    await client.query(`revoke all on database ${BANK_DATABASE} from public`);
  });
}

async function ensureRole(client: pg.Client, role: string, password: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
  const verb = rowCount === 0 ? 'create' : 'alter';
  await client.query(
    `${verb} role ${role} login nosuperuser nocreatedb nocreaterole password ${client.escapeLiteral(password)}`,
  );
}

export async function ensureDatabase(adminUrl: string, database: string, template?: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const name = client.escapeIdentifier(database);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database]);
    if (rowCount === 0) {
      const from = template === undefined ? '' : ` template ${client.escapeIdentifier(template)}`;
      await client.query(`create database ${name} owner ${OWNER_ROLE}${from}`);
    }
    await client.query(`revoke all on database ${name} from public`);
    await client.query(`grant connect on database ${name} to ${APP_ROLE}`);
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
