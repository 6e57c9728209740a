import { z } from 'zod';
import { problem } from './service';
import { idempotencyKey, transaction, transferRequest } from './transactions';

export const bulkRequest = z
  .strictObject({
    transfers: z
      .array(z.strictObject({ idempotencyKey, ...transferRequest.shape }))
      .min(1)
      .max(1000),
  })
  .meta({ id: 'BulkTransferRequest' });

export const bulkResult = z
  .strictObject({
    results: z.array(
      z.strictObject({
        status: z.number().int(),
        transaction: transaction.optional(),
        problem: problem.optional(),
        replayed: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'BulkTransferResult' });
