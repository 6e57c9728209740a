import { createSealer } from '../../ledger/seal';
import { parseEvent, writeEvent } from '../../payments/events';
import { creditEvent, factEvent } from '../support/payments';

const sealer = createSealer([{ id: 'test', key: Buffer.alloc(32, 7) }]);

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
    creditEvent('ev_3', {
      creditId: 'cr_1',
      virtualAccount: '8800001234567881',
      amountMinor: 1n,
      currency: 'JPY',
      payer: 'Müller',
    }),
  ])('is read as it was told: $id', (event) => {
    expect(parseEvent(writeEvent(event, sealer), sealer)).toEqual(event);
  });

  test('has its payer’s name sealed', () => {
    const credit = { creditId: 'cr_1', virtualAccount: '88', amountMinor: 1n, currency: 'SGD', payer: 'Müller' };
    expect(writeEvent(creditEvent('ev', credit), sealer)).not.toContain('Müller');
  });
});
