import { sql, type Kysely } from 'kysely';

/**
 * What the application's role may do. It isn't the owner, so what it isn't granted it can't do: entries, events, blocks
 * and steps can only be added to, and nothing of the books can be deleted or truncated. Of the tables of months it may do
 * nothing at all: it reaches them through entries and events.
 */
export async function grantToApplication<DB>(db: Kysely<DB>, appRole: string): Promise<void> {
  const role = sql.id(appRole);
  const grants: [string, string][] = [
    ['select, insert', 'users, accounts, transactions, holds, blocks, steps, entries, events, decisions'],
    ['select, insert', 'bank_accounts, virtual_accounts, bank_requests, bank_inbox, notifications, cursors'],
    ['select, insert', 'reconciliations, reconciliation_findings, bank_statement_lines, snapshots, snapshot_balances'],
    ['select, insert', 'sessions, api_keys, identities'],
    ['select, insert, delete', 'data_keys'],
    ['select, insert', 'erasures, erased_names'],
    ['select, insert, delete', 'role_proposals'],
    ['execute', 'function make_months(timestamptz, integer)'],
    ['select, insert, update, delete', 'login_addresses'],
    ['select, update', 'chain_head'],
    // Of what was asked for, nothing changes afterwards; only how it stands.
    ['update (status, reason, owner_workflow, completed_at, final_block, refunded)', 'transactions'],
    ['update (status)', 'holds'],
    ['update (status, balance, held, version, owner_frozen, limits, limits_used)', 'accounts'],
    ['update (password_hash, roles, status, name_sealed, email_sealed, email_index, username)', 'users'],
    ['update (refresh_hash, address_sealed, agent_sealed, last_used_at, ended_at)', 'sessions'],
    // From where somebody once signed in is not kept for ever.
    ['delete', 'sessions, identities'],
    ['update (last_used_at, revoked_at)', 'api_keys'],
    ['update (status, reason, details_sealed, fingerprint, masked_number)', 'bank_accounts'],
    ['update (wrapping_key, wrapped)', 'data_keys'],
    ['update (proposed_by, proposed_at, confirmed_by, erased_at)', 'erasures'],
    ['update (roles, proposed_by, proposed_at)', 'role_proposals'],
    ['update (state, amount, currency, settlement_id, reason, updated_at)', 'bank_requests'],
    ['update (status, reason, done_at, done_by, note_sealed)', 'bank_inbox'],
    ['update (status, attempts, next_at, last_error)', 'notifications'],
    ['update (block)', 'cursors'],
    ['update (status, checked, error, ended_at)', 'reconciliations'],
  ];
  await grantToAsk(db, appRole);
  for (const [rights, tables] of grants) {
    await sql`grant ${sql.raw(rights)} on ${sql.raw(tables)} to ${role}`.execute(db);
  }
}

/** What the application's role may do even where its shard is not, or not yet, in use: ask what database it is. */
export async function grantToAsk<DB>(db: Kysely<DB>, appRole: string): Promise<void> {
  const role = sql.id(appRole);
  await sql`grant usage on schema public to ${role}`.execute(db);
  await sql`grant select on shard_identity, kysely_migration to ${role}`.execute(db);
}
