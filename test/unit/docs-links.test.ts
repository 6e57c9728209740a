import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { settingInFile } from '../../cli/settings';

const root = path.join(__dirname, '../..');

const pages = [
  'README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
];

/** What is shown as code is no link. */
const withoutCode = (text: string) => text.replaceAll(/^( *)(```|~~~)[^]*?^\1\2/gm, '').replaceAll(/`[^`\n]*`/g, '`');

/** How GitHub names the place of a heading. */
function anchorsOf(file: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of readFileSync(file, 'utf8').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const anchor = heading!
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    // A heading that comes twice is numbered.
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Targets of `[text](target)` and `[name]: target`, and of images. */
function linksOf(page: string): string[] {
  const text = withoutCode(readFileSync(path.join(root, page), 'utf8'));
  const inline = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: +"[^"]*")?\)/g)];
  const named = [...text.matchAll(/^ {0,3}\[[^\]]+\]: +(\S+)/gm)];
  return [...inline, ...named].map((match) => match[1]!);
}

const isRelative = (link: string) => !/^[a-z][a-z0-9+.-]*:/i.test(link);

test('there are pages to check', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/operating.md', 'docs/transfer.md']));
  expect(linksOf('README.md').filter(isRelative).length).toBeGreaterThan(3);
});

test.each(pages)('every relative link of %s leads to a file, and to a heading where it names one', (page) => {
  const broken = linksOf(page)
    .filter(isRelative)
    .filter((link) => {
      const [target = '', anchor] = link.split('#');
      const file = target === '' ? path.join(root, page) : path.resolve(root, path.dirname(page), target);
      // Out of the repository, GitHub finds nothing.
      if (path.relative(root, file).startsWith('..') || !existsSync(file)) return true;
      return anchor !== undefined && file.endsWith('.md') && statSync(file).isFile() && !anchorsOf(file).has(anchor);
    });
  expect(broken).toEqual([]);
});

test.each(pages)('%s names no machine of ours: no absolute path, no address inside a network', (page) => {
  const text = readFileSync(path.join(root, page), 'utf8');
  expect(text).not.toMatch(/(^|[\s"'`(])\/(root|work|tmp|home)\//m);
  expect(text).not.toMatch(/\b(10\.\d+|192\.168|172\.(1[6-9]|2\d|3[01]))\.\d+\.\d+\b/);
});

const example = readFileSync(path.join(root, '.env.example'), 'utf8');
const defaults = new Map([...example.matchAll(/^# ([A-Z][A-Z_]+)=(\S*)/gm)].map((match) => [match[1]!, match[2]!]));

test.each(pages)('%s names only settings that .env.example has', (page) => {
  const text = readFileSync(path.join(root, page), 'utf8');
  const named = [...text.matchAll(/\bHOLDFAST_[A-Z_]+[A-Z]\b/g)].map(([name]) => name);
  const ofTestsOnly = ['HOLDFAST_KEEP_LOGS', 'HOLDFAST_RECORD_HISTORIES', 'HOLDFAST_WRITE_DOCS'];
  const isOfTests = (name: string) => ofTestsOnly.includes(name) || /^HOLDFAST_(MODEL|TEST)_/.test(name);
  const known = (name: string) => defaults.has(settingInFile(name) ?? name) || isOfTests(name);
  expect(named.filter((name) => !known(name))).toEqual([]);
});

test('the defaults in docs/operating.md are those of .env.example', () => {
  const text = readFileSync(path.join(root, 'docs/operating.md'), 'utf8');
  const rows = [...text.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) +\| ([^|]+?) +\|/gm)].flatMap(([, names, values]) => {
    const shown = values!.split(', ');
    return [...names!.matchAll(/`([A-Z_]+)`/g)].map(([, name], index) => [name!, shown[index]!.replaceAll('`', '')]);
  });
  expect(rows.length).toBeGreaterThan(8);
  for (const [name, value] of rows) expect(`${name}=${value}`).toBe(`${name}=${defaults.get(name!)}`);
});
