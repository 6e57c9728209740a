import { walletName } from '../../contracts/ids';
import type { Command, Outcome, TransactionFacts } from '../../ledger/commands';
import { transactionId } from '../../ledger/identity';
import { fieldOf } from '../../ledger/seal';
import type { TestApi, TestUser } from './api';

export interface Ask {
  currency?: string;
  message?: string;
  toName?: string;
}

export const walletOf = (user: TestUser) => walletName({ username: user.username, currency: 'SGD' });
export const idsOf = (rows: { id: string }[]) => rows.map((row) => row.id);
/** Blocks are timed in milliseconds: after this the next one has a time of its own. */
export const aMoment = () => new Promise((resume) => setTimeout(resume, 5));

/** Makes history by posting to the books, and reads it over HTTP. */
export class History {
  private keys = 0;

  constructor(private readonly api: TestApi) {}

  async factsOf(
    from: TestUser,
    to: TestUser | undefined,
    amountMinor: bigint,
    { currency = 'SGD', message, toName }: Ask = {},
  ): Promise<TransactionFacts> {
    const account = async ({ username }: TestUser) =>
      (await this.api.deps.names.resolve({ username, currency }))!.accountId;
    const id = transactionId(from.userId, `history ${this.keys++}`);
    const seal = (field: string, text: string) => this.api.deps.sealer.seal(from.userId, field, text);
    return {
      id,
      type: 'transfer',
      actorId: from.userId,
      hash: id,
      from: await account(from),
      to: to && (await account(to)),
      amountMinor,
      currency,
      ...(message !== undefined && { messageSealed: await seal(fieldOf.message(id), message) }),
      ...(toName !== undefined && { toNameSealed: await seal(fieldOf.recipient(id), toName) }),
    };
  }

  post(...commands: Command[]): Promise<Outcome[]> {
    return this.api.deps.shards.shard(0).poster.post(commands);
  }

  async pay(from: TestUser, to: TestUser | undefined, amountMinor: bigint, ask?: Ask): Promise<string> {
    const facts = await this.factsOf(from, to, amountMinor, ask);
    await this.post({ kind: 'transfer', facts });
    return facts.id;
  }

  /** Two users of their own for a test, the first with money. */
  async pair(name: string, amount = '100.00'): Promise<[TestUser, TestUser]> {
    const [one, other] = [
      await this.api.newUser(`${name}_a`, { wallets: ['SGD'] }),
      await this.api.newUser(`${name}_b`, { wallets: ['SGD'] }),
    ];
    await this.api.fund(one.username, 'SGD', amount);
    return [one, other];
  }

  /** One page. */
  async list<View>(path: string, { token }: TestUser): Promise<View[]> {
    const { status, body } = await this.api.get(path, token);
    expect(status).toBe(200);
    return body.data as View[];
  }

  /** Every page from the first to the last; `between` runs after each. */
  async allPages<View>(path: string, { token }: TestUser, between?: () => Promise<unknown>): Promise<View[][]> {
    const pages: View[][] = [];
    let cursor = '';
    for (;;) {
      const { status, body } = await this.api.get(`${path}${cursor}`, token);
      expect(status).toBe(200);
      pages.push(body.data as View[]);
      if (body.nextCursor === null) return pages;
      cursor = `&cursor=${body.nextCursor}`;
      await between?.();
    }
  }
}
