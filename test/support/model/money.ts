/** People by number: the first two live on shard 0, the others on shard 1. */
export const PEOPLE = 4;
export const OPENING_MINOR = 12_000_00n;
/** A withdrawal from here on waits for a second person. */
export const APPROVAL_FROM_MINOR = 10_000_00n;

const homeOf = (person: number) => (person < PEOPLE / 2 ? 0 : 1);

export const BANK_WEATHERS = [
  'fair',
  'outage',
  'refuses',
  'answers lost',
  'webhooks lost',
  'webhooks late and thrice',
  'settles never',
  'settles less',
] as const;
export type BankWeather = (typeof BANK_WEATHERS)[number];

export type Why = 'not_settled' | 'amount_mismatch';
/** Of a payment that the bank takes on then only two people can say how it ends, and why. */
const NEEDS_PEOPLE: Partial<Record<BankWeather, Why>> = {
  'settles never': 'not_settled',
  'settles less': 'amount_mismatch',
};

export type Kind = 'transfer' | 'refund' | 'deposit' | 'withdrawal';
export type Final = 'completed' | 'rejected' | 'cancelled';
/** Of what is `unknown` its client knows no more than that it may have been done. */
export type Standing = 'open' | 'awaiting_approval' | 'unknown' | Final;

/** Something that was asked for, and how it stands. Without a person on one side it goes to the bank, or comes from it. */
export interface Movement {
  key: string;
  kind: Kind;
  from?: number;
  to?: number;
  amountMinor: bigint;
  standing: Standing;
  /** What a refund gives back. */
  of?: Movement;
  isCancelAsked?: true;
  /** Why it waits for two people. */
  waits?: Why;
}

export type Spending = Pick<Movement, 'to' | 'of' | 'amountMinor'> & { from: number };

const ENDED: readonly Standing[] = ['completed', 'rejected', 'cancelled'];
export const hasEnded = ({ standing }: Movement) => ENDED.includes(standing);
export const isPayment = ({ kind }: Movement) => kind === 'deposit' || kind === 'withdrawal';
/** Who asked for it. */
export const actorOf = ({ from, to }: Movement) => (from ?? to)!;

/** All the money there is, as simply as it can be said: what the real thing is held against. */
export class Money {
  readonly balances = Array<bigint>(PEOPLE).fill(OPENING_MINOR);
  readonly isFrozen = Array<boolean>(PEOPLE).fill(false);
  readonly movements: Movement[] = [];
  bank: BankWeather = 'fair';
  /** Whether shard 1 can be reached. */
  isFarAway = false;

  isNear(person: number | undefined): boolean {
    return person === undefined || !this.isFarAway || homeOf(person) === 0;
  }

  canMove({ from, to }: Pick<Movement, 'from' | 'to'>): boolean {
    return this.isNear(from) && this.isNear(to);
  }

  held(person: number): bigint {
    return this.movements
      .filter((each) => each.from === person && (each.standing === 'open' || each.standing === 'awaiting_approval'))
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
  }

  /** What was given back of a transfer, or is on its way. */
  refunded(transfer: Movement): bigint {
    return this.movements
      .filter((each) => each.of === transfer && (each.standing === 'completed' || each.standing === 'open'))
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
  }

  /** Why money can't leave a wallet, or undefined when it can. */
  refusal({ from, to, of, amountMinor }: Spending): string | undefined {
    if (of && this.refunded(of) + amountMinor > of.amountMinor) return 'nothing_left';
    const isTargetFrozen = to !== undefined && this.isNear(to) && this.isFrozen[to]!;
    if (isTargetFrozen && homeOf(from) === homeOf(to)) return 'wallet_frozen';
    if (this.isFrozen[from]) return 'wallet_frozen';
    if (this.balances[from]! - this.held(from) < amountMinor) return 'insufficient_funds';
    // Another shard is asked only once this one has said yes.
    return isTargetFrozen ? 'wallet_frozen' : undefined;
  }

  /** How what is open may end once whoever it needs is there; undefined where that is not yet. */
  endsOf(movement: Movement): readonly Final[] | undefined {
    if (hasEnded(movement) || movement.standing === 'awaiting_approval' || !this.canMove(movement)) return undefined;
    if (movement.standing === 'unknown') return ['completed', 'rejected'];
    if (!isPayment(movement)) return [this.isFrozen[movement.to!] ? 'rejected' : 'completed'];
    if (this.bank === 'outage') return undefined;
    if (this.needsPeople(movement)) return movement.isCancelAsked ? ['cancelled'] : undefined;
    const end: Final = this.bank === 'refuses' ? 'rejected' : 'completed';
    return movement.isCancelAsked ? [end, 'cancelled'] : [end];
  }

  /** Why it comes to wait for two people, or does already. */
  waitsFor(movement: Movement): Why | undefined {
    if (!isPayment(movement) || movement.standing !== 'open' || movement.isCancelAsked) return undefined;
    return this.canMove(movement) ? this.needsPeople(movement) : undefined;
  }

  private needsPeople({ waits }: Movement): Why | undefined {
    return waits ?? NEEDS_PEOPLE[this.bank];
  }

  end(movement: Movement, standing: Final): void {
    movement.standing = standing;
    if (standing !== 'completed') return;
    if (movement.from !== undefined) this.balances[movement.from]! -= movement.amountMinor;
    if (movement.to !== undefined) this.balances[movement.to]! += movement.amountMinor;
  }

  /** For fast-check's reports. */
  toString(): string {
    const money = this.balances.map((balance, person) => `${person}: ${balance}, ${this.held(person)} held`);
    return `${money.join('; ')}; bank ${this.bank}${this.isFarAway ? '; shard 1 away' : ''}`;
  }
}
