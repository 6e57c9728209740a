import { z, type ZodType } from 'zod';
import { errorCatalogue, type ErrorCode } from '../contracts/errors';
import { PERMISSIONS } from '../contracts/permissions';
import * as schemas from '../contracts/schemas';
import { problemsOf, route, type Answer, type Parameter, type Route } from './routes';
import { sendJson } from './send';

type Json = Record<string, unknown>;

const REQUEST_ID_HEADER = { $ref: '#/components/headers/X-Request-Id' };
const RATE_HEADERS = {
  RateLimit: { $ref: '#/components/headers/RateLimit' },
  'RateLimit-Policy': { $ref: '#/components/headers/RateLimit-Policy' },
};

/** openapi.json, made from the same rows that Express serves from. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const row of routes) {
    const path = row.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    (paths[path] ??= {})[row.method] = operation(row, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'Wallets in every ISO 4217 currency. Amounts are decimal strings in the currency’s own digits. ' +
        'Every mistake is answered as problem+json (RFC 9457) with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((row) => row.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components.schemas,
      headers: {
        'X-Request-Id': {
          description: 'The id of this request in our logs: yours, where it was usable, or a new one',
          schema: { type: 'string' },
        },
        RateLimit: {
          description: 'What is left of each policy, and the seconds until it begins anew',
          schema: { type: 'string' },
          example: '"address";r=5999;t=60, "user";r=2999;t=60',
        },
        'RateLimit-Policy': {
          description: 'The policies: how many in how many seconds',
          schema: { type: 'string' },
          example: '"address";q=6000;w=60, "user";q=3000;w=60',
        },
      },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}

/** Turns zod schemas into JSON Schema; those with an id of their own are kept once, and referred to. */
class Components {
  readonly schemas: Json = {};

  of(schema: ZodType, io: 'input' | 'output'): Json {
    const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io }) as Json & { $defs?: Json };
    for (const [id, definition] of Object.entries($defs ?? {})) this.schemas[id] = referring(definition);
    return referring(rest) as Json;
  }
}

function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === '$ref' && typeof each === 'string'
        ? [key, each.replace('#/$defs/', '#/components/schemas/')]
        : [key, referring(each)],
    ),
  );
}

function operation(row: Route, components: Components): Json {
  const parameters = parametersOf(row, components);
  return {
    operationId: row.id,
    tags: [row.tag],
    summary: row.summary,
    ...(row.description !== undefined && { description: row.description }),
    security: row.auth === 'public' ? [] : [{ bearer: [] }],
    ...(row.auth !== 'public' && { 'x-permission': row.auth, 'x-roles': PERMISSIONS[row.auth] }),
    ...(parameters.length > 0 && { parameters }),
    ...(row.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: components.of(row.body, 'input') } },
      },
    }),
    responses: { ...answersOf(row, components), ...problemAnswers(row, components) },
  };
}

function parametersOf(row: Route, components: Components): Json[] {
  const parameter = (name: string, where: string, { description, schema, required }: Parameter): Json => ({
    name,
    in: where,
    description,
    required: where === 'path' || required === true,
    schema: components.of(schema, 'input'),
  });
  return [
    ...Object.entries(row.pathParameters ?? {}).map(([name, each]) => parameter(name, 'path', each)),
    ...queryParameters(row, components),
    ...Object.entries(row.headers ?? {}).map(([name, each]) => parameter(name, 'header', each)),
  ];
}

function queryParameters(row: Route, components: Components): Json[] {
  if (!row.query) return [];
  const { properties = {}, required = [] } = components.of(row.query, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(description !== undefined && { description }),
    required: required.includes(name),
    schema,
  }));
}

function answersOf(row: Route, components: Components): Json {
  const answer = ({ description, schema, headers = {} }: Answer): Json => ({
    description,
    headers: {
      ...everywhere(row),
      ...Object.fromEntries(
        Object.entries(headers).map(([name, meaning]) => [name, { description: meaning, schema: { type: 'string' } }]),
      ),
    },
    ...(schema && { content: { 'application/json': { schema: components.of(schema, 'output') } } }),
  });
  return Object.fromEntries(Object.entries(row.answers).map(([status, each]) => [status, answer(each)]));
}

function everywhere(row: Route): Json {
  return { 'X-Request-Id': REQUEST_ID_HEADER, ...(row.rate !== 'none' && RATE_HEADERS) };
}

const HEADERS_OF_PROBLEMS: Record<number, string> = { 401: 'WWW-Authenticate', 429: 'Retry-After', 503: 'Retry-After' };

/** One answer a status, with an example of each code it can carry. A status the row answers itself keeps its own form. */
function problemAnswers(row: Route, components: Components): Json {
  const byStatus: Record<number, ErrorCode[]> = {};
  for (const code of problemsOf(row)) (byStatus[errorCatalogue[code].status] ??= []).push(code);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes]) => {
      const own = row.answers[Number(status)];
      const header = HEADERS_OF_PROBLEMS[Number(status)];
      const titles = codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('\n\n');
      return [
        status,
        {
          description: own ? `${own.description}\n\n${titles}` : titles,
          headers: {
            ...everywhere(row),
            ...(header && { [header]: { schema: { type: 'string' } } }),
          },
          content: {
            ...(own?.schema && { 'application/json': { schema: components.of(own.schema, 'output') } }),
            'application/problem+json': {
              schema: components.of(schemas.problem, 'output'),
              examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
            },
          },
        },
      ];
    }),
  );
}

function exampleOf(code: ErrorCode): schemas.ProblemView {
  const { status, title } = errorCatalogue[code];
  return { type: `urn:holdfast:error:${code}`, title, status, code, requestId: '7b0c8a4e-2f7c-4d47-9f0c-0a4b7b9d3c11' };
}

/** The route that serves the document; it describes itself, too. */
export function openApiRoute(others: readonly Route[], version: string): Route {
  const row = route({
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'Health',
    summary: 'This document',
    auth: 'public',
    compress: true,
    answers: { 200: { description: 'OpenAPI 3.1', schema: z.looseObject({}) } },
    handler({ res }) {
      sendJson(res, 200, document);
    },
  });
  const document = openApiDocument([...others, row], version);
  return row;
}
