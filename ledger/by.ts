import type { UserId } from '../contracts/ids';

/** Who asks for a change, from where and by which request. */
export interface By {
  /** A user's id, or what acts without one: `holdfast`. */
  actorId: UserId;
  role?: string;
  /** The API key that acts in their name. */
  keyId?: string;
  requestId?: string;
  addressSealed?: string;
}

/** Holdfast itself: migrations, the demo. */
export const SYSTEM: By = { actorId: 'holdfast', role: 'system' };

/** As it stands in an event's detail, always first: that is how the audit finds its events. */
export function toldBy({ actorId, role, keyId, requestId, addressSealed }: By) {
  return {
    by: {
      actor: actorId,
      ...(role !== undefined && { role }),
      ...(keyId !== undefined && { key: keyId }),
      ...(requestId !== undefined && { request: requestId }),
      ...(addressSealed !== undefined && { address: addressSealed }),
    },
  };
}

/** An event's detail without the request it came by, which no other row has. */
export function withoutTrace(detail: string): string {
  const { by, ...rest } = JSON.parse(detail) as { by?: { actor?: string; role?: string } };
  return JSON.stringify({ by: { actor: by?.actor, role: by?.role }, ...rest });
}
