import { sql, type Kysely } from 'kysely';

/** Entries and events in a table of their own for each month (UTC), by the time of their block. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Whoever posts has either committed or not begun.
    select from chain_head for update;

    alter table entries rename to entries_whole;
    alter table events rename to events_whole;
    alter index entries_pkey rename to entries_whole_pkey;
    alter index events_pkey rename to events_whole_pkey;
    drop index entries_account, events_subject, events_audit, events_audit_actor;
  `.execute(db);

  // A process of the version before posts without a time. The code tells it that the shard is not fit just now, so it
  // answers as in an outage until a new one takes its place, and no transfer fails for good.
  await sql`
    create function refuse_without_time() returns timestamptz language plpgsql as $$
    begin
      raise exception 'this process is older than the books: it posts without a time' using errcode = '57P03';
    end $$;

    create table entries (
      block bigint not null,
      index integer not null,
      transaction_id text not null,
      account_id text not null,
      currency text not null,
      amount bigint not null check (amount <> 0),
      balance_after bigint not null,
      -- The block's.
      at timestamptz not null default refuse_without_time()
    ) partition by range (at);

    create table events (
      block bigint not null,
      index integer not null,
      subject_id text not null,
      kind text not null,
      -- JSON, kept as the exact text that was hashed.
      detail text not null,
      -- The block's.
      at timestamptz not null default refuse_without_time()
    ) partition by range (at);
  `.execute(db);

  await sql`
    create function missing_months(since timestamptz, ahead integer)
      returns table (parent text, month timestamp, name text)
      language sql stable set search_path = pg_catalog, pg_temp
    as $$
      select parent, month, name
      from unnest(array['entries', 'events']) as parent, generate_series(0, ahead) as n,
        lateral (select date_trunc('month', since at time zone 'UTC') + make_interval(months => n)) as begun (month),
        lateral (select parent || to_char(month, '_YYYY_MM')) as named (name)
      where not exists (
        select from pg_inherits join pg_class on oid = inhrelid
        where inhparent = ('public.' || parent)::regclass and relname = name)
      order by parent, month
    $$;

    -- The application's role may add to the books and not make tables: this makes these, and nothing else. They are
    -- attached and not made in place, since that would wait for all who read, and keep everybody waiting behind it.
    create function make_months(since timestamptz, ahead integer) returns text[]
      language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
    as $$
    declare
      missing record;
      made text[] := '{}';
    begin
      if ahead not between 0 and 12 then
        raise exception 'months are made a year ahead at most' using errcode = '22023';
      end if;
      if not exists (select from public.missing_months(since, ahead)) then
        return made;
      end if;
      -- Only who makes months, too, waits for this.
      lock table only public.entries, only public.events in share update exclusive mode;
      for missing in select * from public.missing_months(since, ahead) loop
        execute format('create table public.%I (like public.%I including constraints)', missing.name, missing.parent);
        execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
          missing.parent, missing.name, missing.month, missing.month + interval '1 month');
        made := made || missing.name;
      end loop;
      return made;
    end $$;
    revoke execute on function make_months(timestamptz, integer) from public;

    select make_months(month, 0) from (select distinct date_trunc('month', at, 'UTC') as month from blocks) as known;
    select make_months(now(), 3);
  `.execute(db);

  await sql`
    insert into entries select e.*, b.at from entries_whole e join blocks b on b.number = e.block
      order by e.block, e.index;
    insert into events select e.*, b.at from events_whole e join blocks b on b.number = e.block
      order by e.block, e.index;
    select assert_rows((select count(*) from entries), (select count(*) from entries_whole), 'entries');
    select assert_rows((select count(*) from events), (select count(*) from events_whole), 'events');

    alter table entries add primary key (block, index, at);
    alter table events add primary key (block, index, at);
    create index entries_account on entries (account_id, at, block, index);
    create index events_subject on events (subject_id, at, block, index);
    create index events_audit on events (at, block, index) where detail like '{"by":%';
    create index events_audit_actor on events ((detail::jsonb #>> '{by,actor}'), at, block, index)
      where detail like '{"by":%';
    analyze entries, events;

    create trigger entries_sum_to_zero after insert on entries
      referencing new table as added for each statement execute function entries_sum_to_zero();
  `.execute(db);

  // With their commit: between it and the grants that follow every migration nobody may meet tables without any.
  await sql`
    do $$
    declare
      granted record;
    begin
      for granted in
        select table_name, grantee, string_agg(privilege_type, ', ') as rights
        from information_schema.role_table_grants
        where table_schema = 'public' and table_name in ('entries_whole', 'events_whole') and grantee <> current_user
        group by table_name, grantee
      loop
        execute format('grant %s on %I to %I',
          granted.rights, replace(granted.table_name, '_whole', ''), granted.grantee);
      end loop;
    end $$;

    drop table entries_whole, events_whole;
  `.execute(db);
}
