import { z } from 'zod';
import { REPLICA_STATES } from '../statuses';
import { limitFields } from './parts';
import { transaction } from './transactions';

const base64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64')
  .meta({ description: 'Bytes, as base64' });
const payload = z
  .object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })
  .meta({ id: 'Payload' });
export const payloads = z
  .object({ payloads: z.array(payload).max(10_000) })
  .meta({ id: 'Payloads', description: 'As Temporal keeps them, in protobuf’s JSON' });
export type PayloadView = z.infer<typeof payload>;

export const webhookReceipt = z.strictObject({ received: z.number().int() }).meta({ id: 'WebhookReceipt' });

export const problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string().optional(),
    instance: z.string().optional(),
    requestId: z.string(),
    errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
    transaction: transaction.optional(),
    limit: z
      .strictObject(limitFields)
      .optional()
      .meta({ description: 'The limit it would have passed, as it then stood' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem+json' });

export const health = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' });
export const readiness = z
  .strictObject({
    status: z.enum(['ready', 'not_ready', 'stopping']),
    checks: z.record(z.string(), z.enum(['ok', 'failed'])).meta({ description: 'Each dependency by name' }),
    replicas: z
      .record(
        z.string(),
        z.strictObject({
          state: z.enum(REPLICA_STATES),
          blocksBehind: z.number().int().nullable(),
          behindMs: z.number().int().nullable(),
        }),
      )
      .meta({ description: 'Those of shards that have one. Being ready does not depend on them' }),
  })
  .meta({ id: 'Readiness' });

export type ReadinessView = z.infer<typeof readiness>;
export type ProblemView = z.infer<typeof problem>;
