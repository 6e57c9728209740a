import type { Request } from 'express';
import type { By } from '../ledger/by';
import type { Sealer } from '../ledger/seal';
import type { Client } from '../users/sessions';
import { requireCaller } from './auth';

/** By which request, and from where: an address is personal, so it is sealed. */
export function traceOf(req: Request, sealer: Pick<Sealer, 'seal'>): Pick<By, 'requestId' | 'addressSealed'> {
  return { requestId: req.context.requestId, ...(req.ip !== undefined && { addressSealed: sealer.seal(req.ip) }) };
}

/** From where somebody signs in. */
export function clientOf(req: Request): Client {
  return { address: req.ip, userAgent: req.headers['user-agent'] };
}

/** The caller, in the role that lets them in, as the audit tells of them. */
export function actingBy(req: Request, sealer: Pick<Sealer, 'seal'>): By {
  const { userId, keyId } = requireCaller(req);
  const { role } = req.context;
  return {
    actorId: userId,
    ...(role !== undefined && { role }),
    ...(keyId !== undefined && { keyId }),
    ...traceOf(req, sealer),
  };
}
