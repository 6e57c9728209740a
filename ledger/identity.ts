import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { AccountId, BankAccountId, DecisionId, TransactionId, UserId } from '../contracts/ids';
import { shardOfId } from '../contracts/ids';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 base32, lower-case, unpadded. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32[(value << (5 - bits)) & 31] : text;
}

/** A user's shard never changes: the first 32 bits of the username's SHA-256, modulo the fixed number of shards. */
export function shardOfUsername(username: string, shardCount: number): number {
  return createHash('sha256').update(username.toLowerCase()).digest().readUInt32BE(0) % shardCount;
}

export function newUserId(shard: number): UserId {
  return `us_${shard}_${base32(randomBytes(16))}`;
}

export function newAccountId(shard: number): AccountId {
  return `ac_${shard}_${base32(randomBytes(16))}`;
}

export function newSessionId(shard: number): string {
  return `se_${shard}_${base32(randomBytes(16))}`;
}

export function newApiKeyId(shard: number): string {
  return `ak_${shard}_${base32(randomBytes(16))}`;
}

export function newBankAccountId(shard: number): BankAccountId {
  return `ba_${shard}_${base32(randomBytes(16))}`;
}

/** The same person who decides the same with the same key has decided once; without a key, each time anew. */
export function decisionId(transaction: TransactionId, actor: UserId, kind: string, key?: string): DecisionId {
  const bytes = key === undefined ? randomBytes(16) : digestOf(['decision', transaction, actor, kind, key]);
  return `de_${shardOfId(transaction)}_${base32(bytes)}`;
}

/** The same user and key always give the same transaction: what makes a retry find the first try, for ever. */
export function transactionId(userId: UserId, key: string): TransactionId {
  const shard = shardOfId(userId);
  if (shard === undefined) throw new TypeError(`${userId} is no user id`);
  return hashedTransactionId(shard, [userId, key]);
}

/** A member of staff acts on an account of any shard: their keys are apart for each. */
export function staffTransactionId(staffUserId: UserId, shard: number, key: string): TransactionId {
  if (shardOfId(staffUserId) === undefined) throw new TypeError(`${staffUserId} is no user id`);
  return hashedTransactionId(shard, ['staff', staffUserId, String(shard), key]);
}

/** What nobody gave a key for, such as money that came by itself: the same parts are always the same transaction. */
export function derivedTransactionId(shard: number, ...parts: string[]): TransactionId {
  if (parts.some((part) => part.includes('\0'))) throw new TypeError('A part of an id holds no NUL');
  return hashedTransactionId(shard, ['derived', ...parts]);
}

/** A user's own ids begin with the user's id, all others with a word that is none: so they can never meet. */
function hashedTransactionId(shard: number, parts: readonly string[]): TransactionId {
  return `tx_${shard}_${base32(digestOf(parts))}`;
}

function digestOf(parts: readonly string[]): Buffer {
  return createHash('sha256').update(parts.join('\0')).digest().subarray(0, 16);
}

/** What was asked for, as parsed: the names as the client gave them, lower-cased, and the message in the clear. */
export interface CommandFacts {
  type: string;
  from: string;
  to: string;
  currency: string;
  amountMinor: bigint;
  message: string | null;
  /** The bank account of a deposit or withdrawal. */
  bankAccount?: string;
  /** The transaction that a refund gives back. */
  linkedTo?: string;
  /** Why staff adjusts a wallet. */
  reason?: string;
}

/**
 * Tells a replay from a key used twice. Keyed, so that a hash in a row or a workflow gives no way to guess a message;
 * the key never rotates, or old replays would look like other commands.
 */
export function commandHash(key: string, facts: CommandFacts): string {
  const canonical = JSON.stringify({
    type: facts.type,
    from: facts.from.toLowerCase(),
    to: facts.to.toLowerCase(),
    currency: facts.currency,
    amountMinor: facts.amountMinor.toString(),
    message: facts.message,
    // Absent from the text where they are undefined, as they are in a transfer.
    bankAccount: facts.bankAccount,
    linkedTo: facts.linkedTo,
    reason: facts.reason,
  });
  return createHmac('sha256', key).update(canonical).digest('base64url');
}
