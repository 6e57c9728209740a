import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';

interface Operation {
  responses: Record<string, { headers?: Record<string, unknown>; content?: Record<string, unknown> }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

export interface Answered {
  method: string;
  path: string;
  status: number;
  headers: Headers;
  body: unknown;
}

/** Headers that an answer of such a status is of no use without. */
const NEEDED: Record<number, string> = {
  401: 'WWW-Authenticate',
  405: 'Allow',
  429: 'Retry-After',
  503: 'Retry-After',
};

/** Holds every answer against openapi.json: what the document doesn't say, the API must not answer. */
export function openApiCheck(document: OpenApi): (answered: Answered) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(document, 'openapi');
  const paths = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
  }));

  const validators = new Map<string, ValidateFunction>();
  function validate(pointer: string[], body: unknown): string[] {
    const ref = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('/', '~1'))).join('/')}`;
    const validator = validators.get(ref) ?? ajv.compile({ $ref: ref });
    validators.set(ref, validator);
    return validator(body) ? [] : (validator.errors ?? []).map((each) => `${each.instancePath} ${each.message ?? ''}`);
  }

  /** Where the document describes this answer's body; undefined where it says there is none. */
  function schemaOf({ method, path, status, headers }: Answered): string[] | undefined {
    const known = paths.find((each) => each.pattern.test(path))?.path;
    const operation = known === undefined ? undefined : document.paths[known]?.[method.toLowerCase()];
    // Unknown addresses and methods are in no document; that they are problems is all there is to say of them.
    if (known === undefined || !operation) return ['components', 'schemas', 'Problem'];
    const answer = operation.responses[String(status)];
    if (!answer) throw new Error('openapi.json knows no such status');
    const type = headers.get('content-type')?.split(';')[0];
    if (type === undefined && answer.content === undefined) return undefined;
    if (type === undefined || !answer.content?.[type]) throw new Error(`openapi.json knows no such type: ${type}`);
    return ['paths', known, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema'];
  }

  return (answered) => {
    const mistakes: string[] = [];
    try {
      const pointer = answered.method === 'OPTIONS' || answered.method === 'HEAD' ? undefined : schemaOf(answered);
      if (pointer) mistakes.push(...validate(pointer, answered.body));
    } catch (error) {
      mistakes.push(String(error));
    }
    const isProblem = answered.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
    const needed = NEEDED[answered.status];
    if (isProblem && needed && !answered.headers.has(needed)) mistakes.push(`The header ${needed} is missing`);
    if (!answered.headers.has('x-request-id')) mistakes.push('The header X-Request-Id is missing');
    if (mistakes.length === 0) return;
    const { method, path, status, body } = answered;
    throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(body)}:\n${mistakes.join('\n')}`);
  };
}
