import { readFileSync } from 'node:fs';
import path from 'node:path';
import { errorCatalogue } from '../../contracts/errors';

const page = readFileSync(path.join(__dirname, '../../docs/errors.md'), 'utf8');

const documented = [...page.matchAll(/^\| `(\w+)` +\| (\d{3}) +\| (yes|no) +\| (\S.*?) +\| (\S.*?) +\|$/gm)].map(
  ([, code, status, again, meaning, whatToDo]) => ({ code, status: Number(status), again, meaning, whatToDo }),
);

describe('docs/errors.md', () => {
  test('lists every code of the catalogue, in its order, and no other', () => {
    expect(documented.map((row) => row.code)).toEqual(Object.keys(errorCatalogue));
  });

  test.each(Object.entries(errorCatalogue))(
    'says of %s the status it has and whether to send it again',
    (code, facts) => {
      const row = documented.find((each) => each.code === code);
      expect(row).toMatchObject({ status: facts.status, again: facts.retry ? 'yes' : 'no' });
    },
  );

  test('has no row of the table that this test can not read', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows).toHaveLength(documented.length);
  });
});
