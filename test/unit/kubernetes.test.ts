import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { CONFIG_VARIABLES, loadConfig, loadDatabases } from '../../cli/config';
import { TEMPORAL_VARIABLES } from '../../cli/temporal-settings';

interface Container {
  args: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
}
interface Probe {
  httpGet: { path: string; port: string };
}
interface Pod {
  metadata: { labels: Record<string, string> };
  spec: {
    terminationGracePeriodSeconds?: number;
    topologySpreadConstraints?: { labelSelector: object }[];
    containers: [Container];
  };
}
interface Resource {
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec: { template: Pod } & Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- read as a cluster would
}

interface Kustomization {
  resources: string[];
  images: { name: string; newTag: string }[];
  configMapGenerator: { name: string; literals: string[] }[];
}

const folder = path.join(__dirname, '../../deploy/kubernetes');
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');
const documentsOf = <T>(file: string): T[] => parseAllDocuments(read(file)).map((each) => each.toJS() as T);

const kustomization = documentsOf<Kustomization>('kustomization.yaml')[0]!;
const resources = kustomization.resources.flatMap((file) => documentsOf<Resource>(file));
const pods = resources.filter(({ kind }) => kind === 'Deployment' || kind === 'Job');
const deployments = resources.filter(({ kind }) => kind === 'Deployment');
const containerOf = ({ spec }: Resource) => spec.template.spec.containers[0];
const named = (kind: string, name: string) =>
  resources.find((each) => each.kind === kind && each.metadata.name === name)!;
const settings = Object.fromEntries(
  kustomization.configMapGenerator[0]!.literals.map((line) => line.split(/=(.*)/).slice(0, 2) as [string, string]),
);

/** What the Secret `holdfast` has to hold: docs/deploying.md says so. */
const secret = {
  HOLDFAST_DATABASE_URLS: 'postgres://holdfast_app:x@db0:5432/holdfast_0',
  HOLDFAST_BANK_API_KEY: 'x'.repeat(32),
  HOLDFAST_BANK_WEBHOOK_SECRETS: 'y'.repeat(32),
  HOLDFAST_TOKEN_KEY: 'z'.repeat(32),
  HOLDFAST_COMMAND_KEY: 'w'.repeat(32),
  HOLDFAST_SEAL_KEYS: `first:${Buffer.alloc(32, 3).toString('base64')}`,
};

test('everything in the folder is applied, and the image is of the package’s version', () => {
  const files = readdirSync(folder).filter((file) => file !== 'kustomization.yaml');
  expect(files.sort()).toEqual([...kustomization.resources].sort());
  const { version } = JSON.parse(readFileSync(path.join(folder, '../../package.json'), 'utf8')) as { version: string };
  expect(kustomization.images).toEqual([{ name: 'holdfast', newTag: version }]);
});

test('no manifest uses what not every reader of YAML knows: anchors and merges', () => {
  for (const file of readdirSync(folder)) expect(read(file)).not.toMatch(/<<:|: &\w|: \*\w/);
});

test('settings and secrets together make a valid configuration, and no secret is written down', () => {
  const known = new Set([...CONFIG_VARIABLES, ...TEMPORAL_VARIABLES]);
  expect([...Object.keys(settings), ...Object.keys(secret)].filter((name) => !known.has(name))).toEqual([]);
  expect(loadConfig({ ...settings, ...secret })).toMatchObject({ production: true });
  expect(Object.keys(settings).filter((name) => name in secret)).toEqual([]);
  const guide = readFileSync(path.join(folder, '../../docs/deploying.md'), 'utf8');
  for (const name of [...Object.keys(secret), 'HOLDFAST_OWNER_DATABASE_URLS']) expect(guide).toContain(name);
});

test('only migrations get the role that owns the tables', () => {
  const given = (resource: Resource) => (containerOf(resource).env ?? []).map(({ name }) => name);
  expect(pods.filter((each) => given(each).includes('HOLDFAST_OWNER_DATABASE_URLS'))).toEqual([
    named('Job', 'holdfast-migrate'),
  ]);
  expect(given(named('Job', 'holdfast-migrate')).sort()).toEqual([
    'HOLDFAST_DATABASE_URLS',
    'HOLDFAST_ENV',
    'HOLDFAST_OWNER_DATABASE_URLS',
  ]);
  const owner = { HOLDFAST_OWNER_DATABASE_URLS: secret.HOLDFAST_DATABASE_URLS.replace('_app', '_owner') };
  expect(loadDatabases({ ...secret, ...owner })).toMatchObject({ shards: [{}] });
});

test.each(pods.map((pod) => [pod.metadata.name, pod] as const))(
  '%s runs as nobody special, on a file system it can’t change, within limits',
  (_name, { spec }) => {
    expect(spec.template.spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(spec.template.spec.containers).toMatchObject([
      {
        image: 'holdfast',
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { requests: expect.anything(), limits: { memory: expect.stringMatching(/^\d+[MG]i$/) } },
      },
    ]);
  },
);

test.each(deployments.map((each) => [each.metadata.name, each] as const))(
  '%s is rolled out one by one, spread out, disturbed one at a time, scaled, and chosen by its own labels',
  (name, { spec, metadata }) => {
    expect(spec).toMatchObject({ strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    expect(spec).not.toHaveProperty('replicas');
    const { labels } = spec.template.metadata;
    expect(labels).toMatchObject(metadata.labels!);
    const selector = { matchLabels: labels };
    expect(spec['selector']).toEqual(selector);
    expect(named('PodDisruptionBudget', name).spec).toMatchObject({ maxUnavailable: 1, selector });
    expect(spec.template.spec.topologySpreadConstraints!.map((each) => each.labelSelector)).toEqual([
      selector,
      selector,
    ]);
    expect(named('ScaledObject', name).spec).toMatchObject({ scaleTargetRef: { name }, minReplicaCount: 2 });
  },
);

test('each process is asked where it answers, and given the time that ending in order takes', () => {
  const api = containerOf(named('Deployment', 'holdfast-api'));
  const worker = containerOf(named('Deployment', 'holdfast-worker'));
  expect(api.readinessProbe!.httpGet).toEqual({ path: '/readyz', port: 'http' });
  expect(api.livenessProbe!.httpGet).toEqual({ path: '/healthz', port: 'http' });
  for (const probe of [worker.startupProbe, worker.readinessProbe, worker.livenessProbe]) {
    expect(probe!.httpGet).toEqual({ path: '/healthz', port: 'metrics' });
  }
  const config = loadConfig({ ...settings, ...secret, HOLDFAST_WORKER_HEALTH_PORT: worker.env![0]!.value });
  expect(api.ports).toEqual([
    { name: 'http', containerPort: config.http.port },
    { name: 'metrics', containerPort: config.metrics.port },
  ]);
  expect(worker.ports).toEqual([{ name: 'metrics', containerPort: config.worker.healthPort }]);
  // docs/operating.md: 40 seconds, after what goes before the signal.
  for (const each of deployments) {
    const before = containerOf(each).lifecycle?.preStop.sleep.seconds ?? 0;
    expect(each.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40 + before);
  }
});

test('the ports that may be reached are those that are served', () => {
  const served = deployments.flatMap((each) => containerOf(each).ports!.map(({ containerPort }) => containerPort));
  const policies = resources.filter(({ kind }) => kind === 'NetworkPolicy');
  const reached = policies.flatMap(({ spec }) =>
    (spec['ingress'] as { ports: { port: number }[] }[]).flatMap(({ ports }) => ports.map(({ port }) => port)),
  );
  expect(reached.sort()).toEqual(served.sort());
});

test('what is scaled by is what is counted', () => {
  const metrics = readFileSync(path.join(folder, '../../docs/metrics.md'), 'utf8');
  const queries = resources
    .filter(({ kind }) => kind === 'ScaledObject')
    .flatMap(({ spec }) => spec['triggers'] as { metadata: { query?: string } }[])
    .flatMap(({ metadata }) => metadata.query ?? []);
  expect(queries).toHaveLength(2);
  for (const query of queries) {
    for (const [name] of query.matchAll(/holdfast_[a-z_]+/g)) expect(metrics).toContain(name.replace(/_bucket$/, ''));
  }
});
