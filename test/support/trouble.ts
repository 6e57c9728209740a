import pg from 'pg';
import type { TestDatabase } from './database';

/** As the owner of a test's database, who may do what no product code does. */
export async function asOwner<T>(database: TestDatabase, work: (owner: pg.Client) => Promise<T>): Promise<T> {
  const owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  try {
    return await work(owner);
  } finally {
    await owner.end();
  }
}

/**
 * Transactions whose entries the database refuses, for a reason the books know nothing of: their rows can be written,
 * but their money can't move.
 */
export class Trouble {
  private constructor(private readonly database: TestDatabase) {}

  static async in(database: TestDatabase): Promise<Trouble> {
    await asOwner(database, (owner) =>
      owner.query(`
        create table trouble (transaction_id text primary key);
        create function make_trouble() returns trigger language plpgsql security definer as $$
        begin
          if exists (select from public.trouble where transaction_id = new.transaction_id) then
            raise exception 'trouble made by a test';
          end if;
          return new;
        end $$;
        create trigger make_trouble before insert on entries for each row execute function make_trouble();`),
    );
    return new Trouble(database);
  }

  async for(transactionId: string): Promise<void> {
    await asOwner(this.database, (owner) => owner.query('insert into trouble values ($1)', [transactionId]));
  }

  async isOver(transactionId: string): Promise<void> {
    await asOwner(this.database, (owner) =>
      owner.query('delete from trouble where transaction_id = $1', [transactionId]),
    );
  }
}

/** Holds the shard's chain, as a frozen poster would, until it is let go: nothing can be posted meanwhile. */
export async function holdChain({ ownerUrl }: Pick<TestDatabase, 'ownerUrl'>): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: ownerUrl });
  holder.on('error', () => {}); // its server may be killed meanwhile
  await holder.connect();
  await holder.query('begin');
  await holder.query('select block from chain_head for update');
  return () => holder.end();
}
