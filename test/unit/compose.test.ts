import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { BANK_VARIABLES, loadBankSettings } from '../../cli/bank-settings';
import { CONFIG_VARIABLES, loadConfig, loadDatabases } from '../../cli/config';
import { SEARCH_ATTRIBUTES } from '../../cli/embedded/temporal-client';
import { TEMPORAL_VARIABLES } from '../../cli/temporal-settings';

interface Service {
  image: string;
  build?: string;
  command?: string[];
  entrypoint?: string[];
  restart?: string;
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  ports?: string[];
  volumes?: string[];
  scale?: number;
  stop_grace_period?: string;
  user?: string;
}

const root = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const text = read('docker-compose.yml');
const compose = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const built = services.filter(([, service]) => service.build !== undefined);
/** The bank is of our image, but another party. */
const ours = built.filter(([name]) => name !== 'bank');

/** Every `${NAME}`, with what follows the name: nothing, a default, or a demand that it be set. */
const interpolated = [...text.matchAll(/\$\{([A-Z_]+)([^}]*)\}/g)].map(([, name, rest]) => ({
  name: name!,
  rest: rest!,
}));

/** What every deployment has to give: `deploy/new-env.sh` makes it. */
const secrets = {
  POSTGRES_ADMIN_PASSWORD: 'admin-password',
  POSTGRES_OWNER_PASSWORD: 'owner-password',
  POSTGRES_APP_PASSWORD: 'app-password',
  POSTGRES_TEMPORAL_PASSWORD: 'temporal-password',
  POSTGRES_BANK_PASSWORD: 'bank-password',
  GRAFANA_ADMIN_PASSWORD: 'grafana-password',
  HOLDFAST_BANK_API_KEY: Buffer.alloc(32, 4).toString('base64'),
  HOLDFAST_BANK_WEBHOOK_SECRETS: Buffer.alloc(32, 5).toString('base64'),
  HOLDFAST_TOKEN_KEY: Buffer.alloc(32, 1).toString('base64'),
  HOLDFAST_COMMAND_KEY: Buffer.alloc(32, 2).toString('base64'),
  HOLDFAST_SEAL_KEYS: `first:${Buffer.alloc(32, 3).toString('base64')}`,
};

/** A service's environment as compose would hand it over, with the secrets given and nothing else. */
function environmentOf({ environment = {} }: Service, given: Record<string, string> = secrets): Record<string, string> {
  const value = (name: string, rest: string) => given[name] ?? /^:-(.*)$/.exec(rest)?.[1] ?? '';
  return Object.fromEntries(
    Object.entries(environment).map(([key, given]) => [
      key,
      String(given).replaceAll(/\$\{([A-Z_]+)([^}]*)\}/g, (_all, name: string, rest: string) => value(name, rest)),
    ]),
  );
}

test('two shards, Temporal with its own database, its Web UI, a bank, what watches, and ours behind a proxy are there', () => {
  expect(Object.keys(compose.services).sort()).toEqual(
    [
      ...['proxy', 'api', 'worker', 'migrate', 'valkey'],
      ...['shard-0', 'shard-0-roles', 'shard-1', 'shard-1-roles'],
      ...['bank', 'bank-db'],
      ...['temporal', 'temporal-db', 'temporal-schema', 'temporal-namespace', 'temporal-ui'],
      ...['prometheus', 'grafana', 'mailpit'],
    ].sort(),
  );
  expect(text).not.toContain('temporalio/auto-setup');
  for (const name of ['api', 'worker']) expect(compose.services[name]).toMatchObject({ scale: 2 });
});

test('it is what Compose itself takes for a compose file', () => {
  // Of compose-go 2.9.0, Compose's own library: "The Compose Specification, Copyright 2020 The Compose Specification
  // Authors", under the Apache License 2.0. It names its own schema by an address that ajv doesn't know.
  const schema = JSON.parse(read('test/support/compose-spec.json')) as object;
  const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false });
  addFormats(ajv);
  ajv.validate(schema, compose);
  expect(ajv.errors ?? []).toEqual([]);
});

test.each(services)('%s has an image of one exact version', (_name, { image }) => {
  expect(image).toMatch(/^[a-z0-9/-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?$/);
});

test('the tools that make the schema are of the version of the server', () => {
  const version = (name: string) => /:(\d+\.\d+\.\d+)/.exec(compose.services[name]!.image)?.[1];
  expect(version('temporal-schema')).toBe(version('temporal'));
  expect(version('temporal-namespace')).toBe(version('temporal'));
});

test('our image has the version of the package', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  for (const [, { image }] of built) expect(image).toBe(`holdfast:${version}`);
});

test.each(services)(
  '%s is nobody special, can change nothing but its own data, and takes no more than its share',
  (name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      pids_limit: 500,
      logging: { driver: 'local' },
      mem_limit: expect.stringMatching(/^\d+[mg]$/),
      cpus: expect.any(Number),
      tmpfs: expect.any(Array),
    });
    expect(service.user).toMatch(/^[1-9]\d*:\d+$/);
    const writable = (service.volumes ?? []).filter((volume) => !volume.endsWith(':ro'));
    expect(writable.map((volume) => volume.split(':')[0])).toEqual(name in compose.volumes ? [name] : []);
  },
);

test.each(built)('%s is given the time that ending in order may take', (_name, { stop_grace_period: grace }) => {
  expect(grace).toBe('40s');
});

test('how many shards Temporal’s history has is said, since it can never be changed', () => {
  expect(Number(compose.services['temporal']!.environment!['NUM_HISTORY_SHARDS'])).toBe(512);
});

test('the namespace is made with a retention, and with every search attribute', () => {
  const script = read('deploy/temporal/create-namespace.sh');
  expect(script).toContain('--retention "$retention"');
  expect(/^attributes='(.*)'$/m.exec(script)?.[1]?.split(' ')).toEqual(SEARCH_ATTRIBUTES);
  const { environment = {} } = compose.services['temporal-namespace']!;
  for (const [, variable] of script.matchAll(/\$\{?(TEMPORAL_[A-Z]+)/g)) expect(environment).toHaveProperty(variable!);
});

test.each(services)('%s either runs on and says whether it is healthy, or is a job that ends', (_name, service) => {
  if (service.restart === undefined || service.restart === 'no') expect(service.healthcheck).toBeUndefined();
  else expect(service.healthcheck?.test[0]).toBe('CMD');
});

test.each(services)('%s waits only for services that are there, in a way they can satisfy', (_name, service) => {
  for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
    const awaited = compose.services[other];
    expect(awaited).toBeDefined();
    expect(condition).toBe(awaited!.healthcheck ? 'service_healthy' : 'service_completed_successfully');
  }
});

test.each(ours)('%s is given only settings that exist, and they make a valid configuration', (name, service) => {
  const environment = environmentOf(service);
  const known = new Set([...CONFIG_VARIABLES, ...TEMPORAL_VARIABLES]);
  expect(Object.keys(environment).filter((each) => !known.has(each))).toEqual([]);
  expect(environment).toMatchObject({ HOLDFAST_ENV: 'production' });
  const load = name === 'migrate' ? loadDatabases : loadConfig;
  expect(load(environment)).toMatchObject({ shards: [{}, {}] });
});

test('the bank is given valid settings of its own, and nothing of the books; it is the one we talk to', () => {
  const { environment = {} } = compose.services['bank']!;
  const known = new Set([...BANK_VARIABLES, 'HOLDFAST_ENV']);
  expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
  const bank = loadBankSettings(environmentOf(compose.services['bank']!));
  const config = loadConfig(environmentOf(compose.services['api']!));
  expect(config.bank).toMatchObject({ url: `http://bank:${bank.port}`, apiKey: bank.apiKey });
  expect(config.bank.webhookSecrets).toEqual(bank.webhookSecrets);
  expect(bank.webhookUrl).toBe('http://proxy:8080/v1/bank/webhooks');
  const database = new URL(bank.databaseUrl);
  const { image, environment: given = {} } = compose.services[database.hostname]!;
  expect(image).toMatch(/^postgres:/);
  expect([database.username, database.pathname]).toEqual([given['POSTGRES_USER'], `/${given['POSTGRES_USER']}`]);
});

test('only migrations get the role that owns the tables', () => {
  const having = ours.filter(([, { environment }]) => environment?.['HOLDFAST_OWNER_DATABASE_URLS'] !== undefined);
  expect(having.map(([name]) => name)).toEqual(['migrate']);
});

test('migrations are given the databases, and no secret that they do not need', () => {
  const environment = environmentOf(compose.services['migrate']!);
  expect(Object.keys(environment).sort()).toEqual([
    'HOLDFAST_DATABASE_URLS',
    'HOLDFAST_ENV',
    'HOLDFAST_OWNER_DATABASE_URLS',
  ]);
  for (const shard of loadDatabases(environment).shards) {
    expect(shard).toMatchObject({ url: expect.stringContaining('app'), ownerUrl: expect.stringContaining('owner') });
  }
});

test('the URLs name services, databases and roles that are there', () => {
  const { HOLDFAST_OWNER_DATABASE_URLS: owner, HOLDFAST_DATABASE_URLS: app } = environmentOf(
    compose.services['migrate']!,
  );
  for (const [urls, role] of [
    [app, 'holdfast_app'],
    [owner, 'holdfast_owner'],
  ] as const) {
    for (const [shard, url] of urls!
      .split(',')
      .map((each) => new URL(each))
      .entries()) {
      expect(url.username).toBe(role);
      expect(compose.services[url.hostname]?.image).toMatch(/^postgres:/);
      expect(url.pathname).toBe(`/holdfast_${shard}`);
      const roles = compose.services[`${url.hostname}-roles`]!;
      expect(roles.environment).toMatchObject({ DATABASE: `holdfast_${shard}`, PGHOST: url.hostname });
      expect(roles.command?.join('\n')).toContain(`role ${role} login nosuperuser`);
    }
  }
});

test('every secret has to be given: none is written down, none has a default', () => {
  for (const [name, { environment = {} }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      // A URL holds a password; the others are secrets by their name.
      if (!/PASSWORD|PWD|_KEYS?$|_SECRETS$|DATABASE_URLS?$/.test(variable)) continue;
      if (variable === 'HOLDFAST_PAYLOAD_KEYS') continue; // without it there is no such key
      if (variable === 'HOLDFAST_DATA_KEYS') continue; // on or off
      expect(`${name}: ${value}`).toMatch(/\$\{[A-Z_]+:\?/);
    }
  }
  const demanded = interpolated.filter(({ rest }) => rest.startsWith(':?')).map(({ name }) => name);
  expect([...new Set(demanded)].sort()).toEqual(Object.keys(secrets).sort());
});

test('everything that can be put into .env is in .env.example, or in docs/operating.md', () => {
  const example = new Set([...read('.env.example').matchAll(/^# ([A-Z][A-Z_]+)=/gm)].map((match) => match[1]));
  const guide = read('docs/operating.md') + read('deploy/new-env.sh');
  const unknown = interpolated.filter(({ name }) => !example.has(name) && !guide.includes(`${name}=`));
  expect(unknown.map(({ name }) => name)).toEqual([]);
});

test('one command makes every secret that is demanded, each another', () => {
  const made = execFileSync('sh', [path.join(root, 'deploy/new-env.sh')], { encoding: 'utf8' });
  const pairs = made
    .trim()
    .split('\n')
    .map((line) => /^([A-Z_]+)=(.+)$/.exec(line)!.slice(1) as [string, string]);
  expect(pairs.map(([name]) => name).sort()).toEqual(Object.keys(secrets).sort());
  expect(new Set(pairs.map(([, value]) => value)).size).toBe(pairs.length);
  for (const [name, value] of pairs) if (name.endsWith('_PASSWORD')) expect(value).toMatch(/^[0-9a-f]{48}$/);
  const api = environmentOf(compose.services['api']!, Object.fromEntries(pairs));
  expect(loadConfig(api).secrets.sealKeys[0]!.key).toHaveLength(32);
});

test('nothing but the proxy, the Web UI, Grafana and caught mail can be reached from outside, and only from this host', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, port })));
  expect(published.map(({ name }) => name).sort()).toEqual(['grafana', 'mailpit', 'proxy', 'temporal-ui']);
  for (const { port } of published) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('the proxy asks every API process whether it is ready, and repeats only what may be repeated', () => {
  const proxy = read('deploy/haproxy/haproxy.cfg');
  const { http } = loadConfig(environmentOf(compose.services['api']!));
  expect(proxy).toContain(`server-template api 1-20 api:${http.port} `);
  expect(proxy).toContain('option httpchk GET /readyz');
  expect(proxy).toMatch(/^ {2}bind :8080$/m);
  expect(compose.services['proxy']!.ports).toEqual([expect.stringMatching(/:8080$/)]);
  expect(/retry-on (.*)/.exec(proxy)?.[1]).toBe('conn-failure empty-response');
  expect(proxy).toContain(
    'http-request disable-l7-retry if !{ method GET HEAD } !{ req.hdr(idempotency-key) -m found }',
  );
});

test('what requests are counted in has a bound, keeps nothing on disk, and forgets first what would end soonest', () => {
  const { command = [] } = compose.services['valkey']!;
  const said = (option: string) => command[command.indexOf(option) + 1];
  expect(said('--maxmemory')).toMatch(/^[1-9]\d*mb$/);
  expect(said('--maxmemory-policy')).toBe('volatile-ttl');
  expect([said('--save'), said('--appendonly')]).toEqual(['', 'no']);
  expect(read('docs/rate-limits.md')).toContain(
    `--maxmemory ${said('--maxmemory')} --maxmemory-policy ${said('--maxmemory-policy')}`,
  );
  const { hostname } = new URL(loadConfig(environmentOf(compose.services['api']!)).guard.redisUrl!);
  expect(compose.services[hostname]?.image).toMatch(/^valkey\/valkey:/);
});

test('what is mounted is there: files of this repository, and volumes that are declared', () => {
  for (const [, { volumes = [], entrypoint = [] }] of services) {
    const folders = volumes.map((volume) => volume.split(':') as [string, string]);
    for (const [from] of folders) {
      if (from.startsWith('./')) expect(existsSync(path.join(root, from))).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(from);
    }
    for (const file of entrypoint.filter((part) => part.endsWith('.sh'))) {
      const mounted = folders.find(([, to]) => file.startsWith(`${to}/`))!;
      expect(existsSync(path.join(root, file.replace(mounted[1], mounted[0])))).toBe(true);
    }
  }
  const dynamicConfig = compose.services['temporal']!.environment!['DYNAMIC_CONFIG_FILE_PATH']!;
  expect(existsSync(path.join(root, 'deploy/temporal', path.basename(dynamicConfig)))).toBe(true);
});

test('Prometheus looks for the API and workers where they show what they count, and Grafana asks this Prometheus', () => {
  const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as {
    scrape_configs: { dns_sd_configs: { names: string[]; type: string; port: number }[] }[];
  };
  const scraped = jobs.flatMap(({ dns_sd_configs: found }) => found.map(({ names, port }) => [...names, port]));
  const api = loadConfig(environmentOf(compose.services['api']!));
  const worker = loadConfig(environmentOf(compose.services['worker']!));
  expect(scraped).toEqual([
    ['api', api.metrics.port],
    ['worker', worker.worker.healthPort],
  ]);
  for (const { metrics } of [api, worker]) expect(metrics.host).toBe('0.0.0.0');
  const { datasources } = parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
    datasources: { url: string; uid: string }[];
  };
  expect(datasources).toMatchObject([{ url: 'http://prometheus:9090', uid: 'prometheus' }]);
  expect(read('deploy/grafana/dashboards/on-call.json')).toContain('"uid": "prometheus"');
});
