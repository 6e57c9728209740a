import fc from 'fast-check';
import { isFinal } from '../../contracts/statuses';
import { DECISION_EVENT_KINDS, eventOfDecision } from '../../ledger/books';
import type { Command, Outcome } from '../../ledger/commands';
import { CLEARING, commands, ELSEWHERE, examples, Model, owner } from '../support/books-model';

/** Runs any commands one after the other, with a look at the books after each. */
function always(look: (model: Model, command: Command, outcome: Outcome, before: Model['state']) => void): void {
  fc.assert(
    fc.property(commands, (all) => {
      const model = new Model();
      for (const each of all) {
        const before = model.state();
        const [outcome] = model.post([each]);
        look(model, each, outcome!, () => before);
      }
    }),
    { numRuns: 200, examples: Object.values(examples).map((all): [Command[]] => [all]) },
  );
}

function isFinalIn({ transactions }: ReturnType<Model['state']>, id: string): boolean {
  return transactions.some((record) => record.id === id && isFinal(record.status));
}

describe('whatever is asked of the books', () => {
  test('money is neither made nor lost, in any currency, transaction or account', () => {
    always(({ accounts, entries }) => {
      const sums = new Map<string, bigint>();
      const add = (key: string, amount: bigint) => sums.set(key, (sums.get(key) ?? 0n) + amount);
      for (const { transactionId, accountId, currency, amountMinor, balanceAfter } of entries) {
        add(`${transactionId} ${currency}`, amountMinor);
        add(accountId, amountMinor);
        expect(sums.get(accountId)).toBe(balanceAfter);
      }
      for (const { id, balance, currency } of accounts.values()) {
        add(currency, balance);
        add(id, -balance);
      }
      expect([...sums].filter(([, sum]) => sum !== 0n)).toEqual([]);
    });
  });

  test('no user has less than nothing, or less than what is held', () => {
    always(({ accounts }) => {
      for (const { kind, balance, held } of accounts.values()) {
        expect(held).toBeGreaterThanOrEqual(0n);
        if (kind === 'user') expect(balance).toBeGreaterThanOrEqual(held);
      }
    });
  });

  test('what an account has held is what its holds say', () => {
    always(({ accounts, holds }) => {
      for (const { id, held } of accounts.values()) {
        const mine = [...holds.values()].filter((hold) => hold.accountId === id && hold.status === 'held');
        expect(held).toBe(mine.reduce((sum, hold) => sum + hold.amountMinor, 0n));
      }
    });
  });

  test('a closed wallet is empty', () => {
    always(({ accounts }) => {
      for (const { status, balance, held } of accounts.values()) {
        if (status === 'closed') expect([balance, held]).toEqual([0n, 0n]);
      }
    });
  });

  test('a transaction that has ended holds no money', () => {
    always(({ transactions, holds }) => {
      for (const { status, transactionId } of holds.values()) {
        if (status === 'held') expect(isFinal(transactions.get(transactionId)!.status)).toBe(false);
      }
    });
  });

  test('a completed transaction moved its amount from its source, and no other moved anything of a user’s', () => {
    always(({ transactions, entries }) => {
      for (const { id, status, amountMinor, ...sides } of transactions.values()) {
        const from = sides.from === ELSEWHERE ? CLEARING.SGD : sides.from;
        const mine = entries.filter((entry) => entry.transactionId === id);
        const asked = status === 'completed' ? mine.splice(0, 2) : [];
        if (status === 'completed') {
          expect(asked).toMatchObject([{ accountId: from, amountMinor: -amountMinor }, { amountMinor }]);
        }
        if (!isFinal(status)) expect(mine).toEqual([]);
        // What else there is the bank moved for nobody.
        expect(mine.filter(({ accountId }) => !/@(bank|suspense)/.test(accountId))).toEqual([]);
        expect([0, 2]).toContain(mine.length);
      }
    });
  });

  test('the bank’s side moves by what the bank moved, to the cent, whatever was asked for', () => {
    const bankOf = (model: Pick<Model, 'accounts'>, currency: string) =>
      model.accounts.get(`ac_0_@bank.${currency}`)!.balance;
    always((model, asked, outcome, before) => {
      if (!('movedMinor' in asked) || asked.movedMinor === undefined) return;
      if (outcome.kind !== 'transaction' || (outcome.replayed && isFinalIn(before(), outcome.id))) return;
      const outOfBank = asked.kind === 'credit' || asked.kind === 'cancel';
      const { currency } = asked.facts;
      const moved = bankOf(model, currency) - bankOf(before(), currency);
      expect(moved).toBe(outOfBank ? -asked.movedMinor : asked.movedMinor);
    });
  });

  test('refunds give back no more than was transferred, and the original knows how much', () => {
    always(({ transactions, refundsOf }) => {
      for (const { id, refundedMinor, amountMinor } of transactions.values()) {
        const given = refundsOf(id).reduce((sum, refund) => sum + refund.amountMinor, 0n);
        expect(refundedMinor).toBe(given);
        expect(given).toBeLessThanOrEqual(amountMinor);
      }
    });
  });

  test('what awaits approval moves nothing, and goes on only by the word of somebody who did not ask for it', () => {
    always((model, asked, _outcome, before) => {
      for (const { id, status, actorId } of before().transactions) {
        const now = model.transactions.get(id)!.status;
        if (status !== 'awaiting_approval' || now === status) continue;
        expect(['pending', 'cancelled', 'rejected']).toContain(now);
        if (now === 'pending') expect(asked).toMatchObject({ decision: 'approve', transactionId: id });
        if (asked.kind === 'decision') expect(asked.actorId).not.toBe(actorId);
      }
    });
  });

  test('a resolution is the word of two people who did not ask for the transaction', () => {
    always(({ transactions, decisions }) => {
      for (const each of decisions.filter(({ kind }) => kind === 'resolve')) {
        expect(each.actorId).not.toBe(transactions.get(each.transactionId)!.actorId);
        if (each.state === 'proposed') continue;
        const mine = decisions.filter(({ transactionId }) => transactionId === each.transactionId);
        const first = mine[mine.indexOf(each) - 1]!;
        expect(first).toMatchObject({ kind: 'resolve', state: 'proposed', outcome: each.outcome });
        expect(first.actorId).not.toBe(each.actorId);
      }
    });
  });

  test('a decision never changes, and the chain tells of each', () => {
    always(({ decisions, events }, _asked, _outcome, before) => {
      expect(decisions.slice(0, before().decisions.length)).toEqual(before().decisions);
      const told = events.filter(({ kind }) => DECISION_EVENT_KINDS.some((each) => each === kind));
      const wanted = decisions.map((each) => ({ ...eventOfDecision(each), subjectId: each.transactionId }));
      expect(told.map((event) => ({ ...event, detail: JSON.parse(event.detail) as object }))).toEqual(wanted);
    });
  });

  test('a hold ends once', () => {
    always(({ holds }, _asked, _outcome, before) => {
      for (const [key, { status }] of before().holds)
        if (status !== 'held') expect(holds.get(key)!.status).toBe(status);
    });
  });

  test('a transaction that is not ended has a workflow that owns it', () => {
    always(({ transactions }) => {
      for (const { status, owner: its } of transactions.values()) expect(its).toBe(isFinal(status) ? null : owner);
    });
  });

  test('asking again changes nothing, and answers the same as a replay', () => {
    always((model, asked, outcome) => {
      const before = model.state();
      const [again] = model.post([asked]);
      expect(model.state()).toEqual(before);
      expect(again).toEqual(outcome.kind === 'transaction' ? { ...outcome, replayed: true } : outcome);
    });
  });

  test('another command under a known id is a conflict and changes nothing', () => {
    always((model, asked, outcome, before) => {
      if (!('facts' in asked)) return;
      const known = before().transactions.find((record) => record.id === asked.facts.id);
      expect(outcome.kind === 'conflict').toBe(known !== undefined && known.hash !== asked.facts.hash);
      if (outcome.kind === 'conflict') expect(model.state()).toEqual(before());
    });
  });

  test('a step once forbidden is never done, and one done is never forbidden', () => {
    always((model, _asked, _outcome, before) => {
      for (const [key, earlier] of before().steps) expect(model.steps.get(key)).toEqual(earlier);
      for (const [key, { outcome }] of model.steps)
        if (outcome === 'tombstone') expect(model.holds.has(key)).toBe(false);
    });
  });

  test('a final status never changes, nor does its reason', () => {
    always((model, _asked, _outcome, before) => {
      for (const record of before().transactions.filter(({ status }) => isFinal(status))) {
        const { refundedMinor } = model.transactions.get(record.id)!;
        expect({ ...model.transactions.get(record.id), createdBlock: null }).toEqual({ ...record, refundedMinor });
      }
    });
  });

  test('a refused command leaves no new transaction behind', () => {
    always((model, _asked, outcome) => {
      if (outcome.kind !== 'transaction') expect(model.opened).toEqual([]);
    });
  });

  test('a batch does what its commands do one by one', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 8 })), (all, sizes) => {
        const [together, apart] = [new Model(), new Model()];
        const outcomes = all.flatMap((each) => apart.post([each]));
        const batches: Command[][] = [];
        const rest = [...all];
        for (const size of [...sizes, all.length]) batches.push(rest.splice(0, size));
        expect(batches.flatMap((batch) => together.post(batch))).toEqual(outcomes);
        expect(together.state()).toEqual(apart.state());
      }),
      { numRuns: 300 },
    );
  });
});
