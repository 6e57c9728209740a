import type { Request } from 'express';
import type { z, ZodType } from 'zod';
import type { FieldMistake } from '../contracts/errors';
import { idempotencyKey } from '../contracts/schemas';
import { Problem } from './problems';

type Issue = z.core.$ZodIssue;

/** The body by its schema, or a 422 that names every mistake as a JSON pointer into it. */
export function parseBody<S extends ZodType>(schema: S, req: Request): z.output<S> {
  return parse(schema, req.body, (path) => path.map(pointerPart).join(''));
}

/** The query string by its schema, or a 422 that names every mistake as `query <name>`. */
export function parseQuery<S extends ZodType>(schema: S, req: Request): z.output<S> {
  return parse(schema, req.query, (path) => `query ${String(path[0] ?? '')}`);
}

/** The header that makes a POST safe to send again: missing is 400, unusable 422. */
export function requireIdempotencyKey(req: Request): string {
  const key = optionalIdempotencyKey(req);
  if (key === undefined) throw new Problem('missing_idempotency_key');
  return key;
}

export function optionalIdempotencyKey(req: Request): string | undefined {
  const key = req.headers['idempotency-key'];
  return key === undefined || key === '' ? undefined : parse(idempotencyKey, key, () => 'header Idempotency-Key');
}

function parse<S extends ZodType>(schema: S, value: unknown, where: (path: PropertyKey[]) => string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidRequest(result.error.issues.flatMap((issue) => mistakesOf(issue, where)));
}

/** A mistake that only shows after parsing, such as an amount with more decimals than its currency has. */
export function invalidRequest(errors: FieldMistake[]): Problem {
  return new Problem('invalid_request', { errors });
}

function mistakesOf(issue: Issue, where: (path: PropertyKey[]) => string): FieldMistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: where([...issue.path, key]), message: 'is not a field of this request' }));
  }
  return [{ field: where(issue.path), message: issue.message }];
}

function pointerPart(part: PropertyKey): string {
  return `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
