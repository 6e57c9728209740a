import { isTooOld, OLDEST_TEMPORAL_SERVER } from '../../cli/temporal-version';

test('a Temporal server below the oldest that was tested is too old, whatever else its version says', () => {
  for (const version of ['1.29.0', '1.9.4', '0.30.0', '1.28.3-rc.1']) expect(isTooOld(version)).toBe(true);
  for (const version of [OLDEST_TEMPORAL_SERVER, '1.29.10', '1.31.2', '2.0.0', '1.31.0-cloud.5', '']) {
    expect(isTooOld(version)).toBe(false);
  }
});
