import { readFileSync } from 'node:fs';
import path from 'node:path';
import { allRoutes } from '../../api/all-routes';
import { errorCatalogue } from '../../contracts/errors';
import { TestApi } from '../support/api';

let api: TestApi;
beforeAll(async () => (api = await TestApi.start()));
afterAll(() => api.close());

/* eslint-disable @typescript-eslint/no-explicit-any -- the document under test is plain JSON */
const fetchDocument = async (): Promise<any> => (await api.get('/openapi.json')).body;

describe('openapi.json', () => {
  test('describes every route of the API, and no other', async () => {
    const { paths, openapi } = await fetchDocument();
    const described = Object.entries<any>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(openapi).toBe('3.1.0');
    expect(described.sort()).toEqual(
      allRoutes(api.deps)
        .map((row) => `${row.method} ${row.path}`)
        .sort(),
    );
  });

  test('refers only to what it holds', async () => {
    const document = await fetchDocument();
    const references = new Set([...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref]) => ref!));
    expect(references.size).toBeGreaterThan(10);
    for (const reference of references) {
      const found = reference.split('/').reduce((at: any, part) => at?.[part], document);
      expect({ reference, found: typeof found }).toEqual({ reference, found: 'object' });
    }
    expect(JSON.stringify(document)).not.toContain('$defs');
  });

  test('names each path’s parameters, and gives every operation an id of its own', async () => {
    const { paths } = await fetchDocument();
    const ids: string[] = [];
    for (const [path, methods] of Object.entries<any>(paths)) {
      for (const { operationId, parameters = [] } of Object.values<any>(methods)) {
        ids.push(operationId);
        const inPath = parameters.filter((each: any) => each.in === 'path').map((each: any) => each.name);
        expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      }
    }
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('says of every route with a token that it can answer 401, and of every problem which codes it can carry', async () => {
    const { paths } = await fetchDocument();
    for (const methods of Object.values<any>(paths)) {
      for (const { security, responses } of Object.values<any>(methods)) {
        expect('401' in responses || security.length === 0).toBe(true);
        for (const [status, { content }] of Object.entries<any>(responses)) {
          for (const code of Object.keys(content?.['application/problem+json']?.examples ?? {})) {
            expect(errorCatalogue[code as keyof typeof errorCatalogue].status).toBe(Number(status));
          }
        }
      }
    }
  });

  test('marks unknown fields as refused in every request', async () => {
    const { paths, components } = await fetchDocument();
    for (const methods of Object.values<any>(paths)) {
      for (const { requestBody } of Object.values<any>(methods)) {
        if (!requestBody) continue;
        const { $ref } = requestBody.content['application/json'].schema;
        expect(components.schemas[$ref.split('/').at(-1)].additionalProperties).toBe(false);
      }
    }
  });

  test('is compressed for those who take it so', async () => {
    const answer = await fetch(`${api.url}/openapi.json`, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    await answer.text();
  });
});

describe('the docs page', () => {
  test('works offline: all it loads comes from here, under a policy that lets nothing else in', async () => {
    for (const at of ['/docs', '/docs/']) {
      const page = await fetch(api.url + at);
      const html = await page.text();
      expect(page.status).toBe(200);
      expect(html).toContain('<title>Holdfast');
      const policy = page.headers.get('content-security-policy')!;
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toMatch(/https?:/);
      const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!);
      expect(files.length).toBeGreaterThan(3);
      for (const file of files) {
        const answer = await fetch(new URL(file, api.url));
        expect({ file, status: answer.status }).toEqual({ file, status: 200 });
        expect(answer.headers.get('content-type')).toMatch(/javascript|css|png/);
        await answer.arrayBuffer();
      }
      expect(html).not.toMatch(/<script>|https?:\/\//);
    }
  });

  test('keeps a token pasted into it, and gives away no other file of the package', async () => {
    expect(await (await fetch(`${api.url}/docs/start.js`)).text()).toContain('persistAuthorization: true');
    for (const file of ['package.json', 'index.html', 'swagger-initializer.js', '..%2fpackage.json']) {
      expect((await fetch(`${api.url}/docs/${file}`)).status).toBe(404);
    }
  });
});

test('every code of the catalogue belongs to some route, or to none in particular', () => {
  const anywhere = ['method_not_allowed', 'too_late'];
  const answered = new Set(allRoutes(api.deps).flatMap((row) => row.problems ?? []));
  const source = readFileSync(path.join(__dirname, '../../api/routes.ts'), 'utf8');
  for (const code of Object.keys(errorCatalogue)) {
    const known = answered.has(code as never) || anywhere.includes(code) || source.includes(`'${code}'`);
    expect({ code, known }).toEqual({ code, known: true });
  }
});
