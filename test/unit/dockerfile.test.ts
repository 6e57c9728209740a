import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Instruction {
  name: string;
  rest: string;
}

const root = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Each stage with its instructions, lines that go on put together. */
function stagesOf(dockerfile: string): Instruction[][] {
  const lines = dockerfile.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  const instructions = lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: /^\w+/.exec(line)![0], rest: line.replace(/^\w+\s+/, '') }));
  const stages: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') stages.push([]);
    stages.at(-1)!.push(instruction);
  }
  return stages;
}

const stages = stagesOf(read('Dockerfile'));
const all = stages.flat();
const last = stages.at(-1)!;
const runs = all.filter(({ name }) => name === 'RUN').map(({ rest }) => rest);
const only = (wanted: string) => {
  const found = last.filter(({ name }) => name === wanted);
  expect(found).toHaveLength(1);
  return found[0]!.rest;
};

test('every stage is of the same, exact Node on Debian, which the package says it runs on', () => {
  const bases = new Set(all.filter(({ name }) => name === 'FROM').map(({ rest }) => rest.split(' ')[0]!));
  expect([...bases]).toEqual([expect.stringMatching(/^node:\d+\.\d+\.\d+-bookworm-slim$/)]);
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
  expect(Number(/\d+/.exec([...bases][0]!)![0])).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)![0]));
});

test('packages are what the lock file says, none runs a script of its own, and only the last stage’s are without tools', () => {
  const installs = runs.filter((run) => run.includes('npm '));
  for (const run of installs) expect(run).toMatch(/^npm (ci .*--ignore-scripts|run build)/);
  const kept = last.filter(({ rest }) => rest.includes('node_modules'));
  expect(kept).toEqual([{ name: 'COPY', rest: '--from=packages /app/node_modules node_modules' }]);
  expect(stages[1]![0]!.rest).toMatch(/ AS packages$/);
  expect(stages[1]!.find(({ name }) => name === 'RUN')!.rest).toContain('npm ci --omit=dev');
});

test('nothing comes from elsewhere, nothing of Debian’s is installed, and nothing runs in the last stage', () => {
  expect(all.filter(({ name }) => name === 'ADD')).toEqual([]);
  expect(runs.join('\n')).not.toMatch(/\b(apt|apt-get|curl|wget|npx)\b/);
  expect(last.filter(({ name }) => name === 'RUN')).toEqual([]);
});

test('it runs as a user with a number who owns nothing of it', () => {
  expect(only('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(all.filter(({ rest }) => rest.includes('--chown'))).toEqual([]);
  const order = last.map(({ name }) => name);
  expect(order.indexOf('USER')).toBeLessThan(order.indexOf('ENTRYPOINT'));
  expect(order.lastIndexOf('COPY')).toBeLessThan(order.indexOf('USER'));
});

test('what is told to it reaches the process itself, and no secret is baked in', () => {
  expect(JSON.parse(only('ENTRYPOINT'))).toEqual(['node', 'dist/cli/main.js']);
  expect(JSON.parse(only('CMD'))).toEqual(['api']);
  expect(only('HEALTHCHECK')).toMatch(/CMD \["node", "dist\/cli\/healthy.js"\]$/);
  expect(all.filter(({ name }) => name === 'ARG')).toEqual([]);
  expect(only('ENV')).not.toMatch(/KEY|SECRET|PASSWORD|URL/);
});

test('its labels name the version and the licence of the package', () => {
  const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
  const labels = Object.fromEntries(
    [...only('LABEL').matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  expect(labels).toMatchObject({ title: 'Holdfast', version, licenses: license });
});

test('the build is given sources only: no history, no secrets, nothing made on one machine', () => {
  const ignored = read('.dockerignore').split('\n');
  for (const name of ['.git', '**/.env', '**/.env.*', '**/node_modules', '**/dist', '**/.holdfast', 'test']) {
    expect(ignored).toContain(name);
  }
});
