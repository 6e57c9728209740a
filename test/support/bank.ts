import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpRail } from '../../bank/http-rail';
import type { BankEvent, BankFact, BankOrder, IncomingCredit, Rail } from '../../bank/rail';
import { startBank, type BankOptions, type RunningBank } from '../../bank/simulator';
import { createBankControl, type BankControl } from '../../bank/simulator/control';
import { emptyDatabase } from './database';
import { eventually } from './eventually';

export const BANK_KEY = 'the API key of the bank in tests, long enough';
export const BANK_SECRET = 'the secret of webhooks in tests, long enough';

export type TestBankOptions = Partial<Omit<BankOptions, 'databaseUrl' | 'apiKey'>>;

/** The real simulator on a database of its own, with a rail to it. */
export class TestBank {
  private bank!: RunningBank;

  private constructor(
    private readonly database: Awaited<ReturnType<typeof emptyDatabase>>,
    private readonly options: TestBankOptions,
  ) {}

  static async start(options: TestBankOptions = {}): Promise<TestBank> {
    const bank = new TestBank(await emptyDatabase(), options);
    await bank.startAgain();
    return bank;
  }

  /** Another process of the same bank. It is stopped, not closed: the database is the first one's. */
  static async beside(first: TestBank): Promise<TestBank> {
    const bank = new TestBank(first.database, { ...first.options, port: 0 });
    await bank.startAgain();
    return bank;
  }

  get url(): string {
    return this.bank.url;
  }

  get rail(): Rail {
    return createHttpRail({ url: this.url, apiKey: BANK_KEY, webhookSecrets: [BANK_SECRET] });
  }

  hastyRail(deadlineMs: number): Rail {
    return createHttpRail({ url: this.url, apiKey: BANK_KEY, webhookSecrets: [BANK_SECRET], deadlineMs });
  }

  get control(): BankControl {
    return createBankControl({ url: this.url, apiKey: BANK_KEY });
  }

  get databaseUrl(): string {
    return this.database.ownerUrl;
  }

  /** On the same database and port. */
  async startAgain(change: Partial<BankOptions> = {}): Promise<void> {
    Object.assign(this.options, change);
    const port = this.bank?.port ?? this.options.port ?? 0;
    this.bank = await startBank({ ...this.options, databaseUrl: this.database.ownerUrl, apiKey: BANK_KEY, port });
  }

  async stop(): Promise<void> {
    await this.bank.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.database.drop();
  }
}

let orders = 0;

/** An order like any other, with a reference of its own. */
export function anOrder(change: Partial<BankOrder> & { number?: string } = {}): BankOrder {
  const { number = '12345678', ...rest } = change;
  const account = { holder: 'A Holder', number, bankCode: 'TESTSGSG' };
  return { reference: `tx_0_test:pay:${++orders}`, amountMinor: 1250n, currency: 'SGD', account, ...rest };
}

/** A receiver of webhooks: it takes what is rightly signed, and refuses or breaks off when it is told to. */
export class Receiver {
  readonly events: BankEvent[] = [];
  /** The events of each delivery that was taken. */
  readonly deliveries: BankEvent[][] = [];
  refused = 0;
  answering: 'take' | 'fail' = 'take';
  url = '';

  private constructor(private readonly server: Server) {}

  static async start(secret = BANK_SECRET): Promise<Receiver> {
    const rail = createHttpRail({ url: 'http://unused', apiKey: '', webhookSecrets: [secret] });
    const server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const events = rail.readWebhook(req.headers as Record<string, string | undefined>, Buffer.concat(chunks));
        if (events === undefined) receiver.refused++;
        const taken = events !== undefined && receiver.answering === 'take';
        if (taken) receiver.take(events);
        res.writeHead(taken ? 204 : events === undefined ? 401 : 503).end();
      });
    });
    const receiver = new Receiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/bank/webhooks`;
    return receiver;
  }

  private take(events: BankEvent[]): void {
    this.deliveries.push(events);
    this.events.push(...events);
  }

  facts(reference: string): BankFact[] {
    return this.events.flatMap((event) =>
      event.kind === 'fact' && event.fact.reference === reference ? [event.fact] : [],
    );
  }

  get credits(): IncomingCredit[] {
    return this.events.flatMap((event) => (event.kind === 'credit' ? [event.credit] : []));
  }

  /** Waits until a reference was told of in this state. */
  told(reference: string, state: BankFact['state']): Promise<BankFact> {
    return eventually(async () => {
      const fact = this.facts(reference).find((each) => each.state === state);
      if (fact === undefined) throw new Error(`${reference} was not told of as ${state}`);
      return fact;
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
