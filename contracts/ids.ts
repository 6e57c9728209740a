/**
 * Every id says what it names and which shard it lives on: `tx_0_…` a transaction, `us_0_…` a user, `ac_0_…` an account
 * (the books' name for a wallet), `ba_0_…` a bank account, `de_0_…` a person's decision, `rc_0_…` a
 * reconciliation, `se_0_…` a session, `ak_0_…` an API key, `ho_0_…` the house as the owner of a key. How they are
 * made is in ledger/identity.ts; here is only their form.
 */
export type TransactionId = string;
export type UserId = string;
export type AccountId = string;
export type BankAccountId = string;
export type DecisionId = string;

export const USERNAME = /^[a-z0-9_]{3,32}$/;
export const TRANSACTION_ID = /^tx_(0|[1-9][0-9]{0,3})_[a-z2-7]{26}$/;
const SHARDED_ID = /^(?:tx|us|ac|ba|de|rc|se|ak|ho)_(0|[1-9][0-9]{0,3})_[a-z0-9.@-]+$/i;

export function isTransactionId(text: string): boolean {
  return TRANSACTION_ID.test(text);
}

/** The shard an id names, or undefined when the text is no id of ours. */
export function shardOfId(id: string): number | undefined {
  const match = SHARDED_ID.exec(id);
  return match ? Number(match[1]) : undefined;
}

export interface WalletName {
  username: string;
  currency: string;
}

/** A wallet's public name, `yunus.SGD`; the username may be typed in any case, the currency is upper-case. */
export function parseWalletName(text: string): WalletName | undefined {
  const match = /^([a-z0-9_]{3,32})\.([A-Z]{3})$/i.exec(text);
  if (!match) return undefined;
  return { username: match[1]!.toLowerCase(), currency: match[2]!.toUpperCase() };
}

export function walletName({ username, currency }: WalletName): string {
  return `${username}.${currency}`;
}

/** The house's side of the books, one of each per shard and currency. */
export const SYSTEM_WALLETS = ['@bank', '@suspense', '@clearing', '@fees'] as const;
export type SystemWallet = (typeof SYSTEM_WALLETS)[number];

export function systemAccountId(shard: number, wallet: SystemWallet, currency: string): AccountId {
  return `ac_${shard}_${wallet}.${currency}`;
}
