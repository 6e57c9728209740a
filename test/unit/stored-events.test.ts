import { parseEvent, writeEvent } from '../../payments/events';
import { creditEvent, factEvent } from '../support/payments';

const seal = (payer: string) => Promise.resolve(`sealed ${payer.length}`);
const credit = { creditId: 'cr_1', virtualAccount: '8800001234567881', amountMinor: 1n, currency: 'JPY' };

describe('a stored event', () => {
  test.each([
    factEvent('ev_1', { reference: 'tx_0_a:collect:1', state: 'accepted' }),
    factEvent('ev_2', {
      reference: 'tx_0_a:payout:1',
      state: 'settled',
      amountMinor: 9_007_199_254_740_993n,
      currency: 'SGD',
      settlementId: 'st_1',
    }),
  ])('is read as it was told: $id', async (event) => {
    expect(parseEvent(await writeEvent(event, seal))).toEqual(event);
  });

  test('of money that arrived is read as it was told, but for its payer’s name, which is sealed', async () => {
    const event = creditEvent('ev_3', { ...credit, payer: 'Müller' });
    expect(parseEvent(await writeEvent(event, seal))).toEqual({
      ...event,
      credit: { ...credit, payerSealed: 'sealed 6' },
    });
  });
});
