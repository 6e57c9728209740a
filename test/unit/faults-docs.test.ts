import { readPage, rewritePage, rewritten } from '../support/fault-docs';

test('docs/faults.md shows the rows that the fault suites run', () => {
  // `HOLDFAST_WRITE_DOCS=1 npm test -- faults-docs` writes it.
  if (process.env.HOLDFAST_WRITE_DOCS) rewritePage();
  const page = readPage();
  expect(page).toBe(rewritten(page));
});
