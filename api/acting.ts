import type { Request } from 'express';
import { shardOfId } from '../contracts/ids';
import type { By } from '../ledger/by';
import { houseOf } from '../ledger/data-keys';
import { fieldOf, type Sealer } from '../ledger/seal';
import type { Client } from '../users/sessions';
import { requireCaller } from './auth';

/** By which request, and from where: an address is personal, so it is sealed, under the key of this owner. */
export async function traceOf(
  req: Request,
  sealer: Pick<Sealer, 'seal'>,
  owner: string,
): Promise<Pick<By, 'requestId' | 'addressSealed'>> {
  const { requestId } = req.context;
  if (req.ip === undefined) return { requestId };
  return { requestId, addressSealed: await sealer.seal(owner, fieldOf.address(requestId), req.ip) };
}

/** From where somebody signs in. */
export function clientOf(req: Request): Client {
  return { address: req.ip, userAgent: req.headers['user-agent'] };
}

/**
 * The caller, in the role that lets them in, as the audit tells of them. From where a customer asks is sealed under their
 * own key, of staff under the key of the shard on which they act, since their own may be away.
 */
export async function actingBy(req: Request, sealer: Pick<Sealer, 'seal'>, shard: number): Promise<By> {
  const { userId, keyId } = requireCaller(req);
  const { role } = req.context;
  const owner = role === 'customer' && shardOfId(userId) === shard ? userId : houseOf(shard);
  return {
    actorId: userId,
    ...(role !== undefined && { role }),
    ...(keyId !== undefined && { keyId }),
    ...(await traceOf(req, sealer, owner)),
  };
}
