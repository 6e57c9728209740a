/**
 * What Holdfast asks of a bank. Adding a real one means implementing this in one file; `http-rail.ts` does it for the
 * simulator, and for any bank that speaks its protocol.
 */
export interface Rail {
  /** Pull money from a customer's bank account into ours. */
  collect(order: BankOrder): Promise<BankFact>;
  /** Pay money from our account to a customer's. */
  payOut(order: BankOrder): Promise<BankFact>;
  /** What the bank knows of a reference. `unknown` is not "not done": a request may still be travelling. */
  lookUp(reference: string): Promise<BankFact>;
  /** Forbid a reference for ever, unless the bank has processed it: the answer says which. */
  void(reference: string): Promise<BankFact>;
  /** Whether the account exists and is the holder's. */
  checkAccount(account: BankAccountDetails): Promise<AccountCheck>;
  /** Everything that moved our account on a day (UTC), in order, a page at a time. */
  statement(query: StatementQuery): Promise<StatementPage>;
  /** A webhook's events when its signature is ours and fresh; undefined otherwise, and nothing of it may be used. */
  readWebhook(headers: Record<string, string | undefined>, rawBody: Buffer): BankEvent[] | undefined;
}

export interface BankAccountDetails {
  holder: string;
  number: string;
  bankCode: string;
}

export interface BankOrder {
  /** `<transaction id>:<step>:<n>`: the bank does each reference once, whatever it is sent. */
  reference: string;
  amountMinor: bigint;
  currency: string;
  account: BankAccountDetails;
}

/**
 * accepted: taken on, outcome to follow. settled: money has moved. refused: definitely not done, and never will be.
 * returned: was settled, and has come back. voided: never processed, and never will be. unknown: never heard of it.
 */
export type BankState = 'accepted' | 'settled' | 'refused' | 'returned' | 'voided' | 'unknown';

export interface BankFact {
  reference: string;
  state: BankState;
  /** What moved, once it has: compare it with what was asked for. */
  amountMinor?: bigint;
  currency?: string;
  /** The bank's own number of the movement: two of them for one reference are two movements. */
  settlementId?: string;
  /** The bank's reason code, when refused or returned. */
  reason?: string;
}

export interface AccountCheck {
  ok: boolean;
  /** The bank's reason code when it isn't. */
  reason?: string;
}

/** What the bank tells by itself. Each is told at least once, in any order, maybe late. */
export type BankEvent =
  | { id: string; kind: 'fact'; at: string; fact: BankFact }
  /** Somebody paid money into a virtual account of ours. */
  | { id: string; kind: 'credit'; at: string; credit: IncomingCredit };

export interface IncomingCredit {
  /** The bank's own number of the credit: however many events tell of it, it is one. */
  creditId: string;
  virtualAccount: string;
  amountMinor: bigint;
  currency: string;
  payer: string;
}

export interface StatementQuery {
  day: string;
  currency: string;
  cursor?: string;
}

export interface StatementLine {
  /** The settlement, return or credit that moved the account. */
  settlementId: string;
  /** Absent for an incoming credit. */
  reference?: string;
  kind: 'collection' | 'payout' | 'return' | 'credit';
  /** Positive: our account grew. */
  amountMinor: bigint;
  currency: string;
  at: string;
}

export interface StatementPage {
  lines: StatementLine[];
  nextCursor?: string;
}

/**
 * A bank call that brought no fact. `later`: surely nothing was done, try again. `uncertain`: it may have been done;
 * look up before anything else. `never`: our own mistake, a person has to look. A definite refusal is a fact, not an error.
 */
export class BankError extends Error {
  constructor(
    readonly kind: 'later' | 'uncertain' | 'never',
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'BankError';
  }
}
