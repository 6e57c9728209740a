import { walletName, type WalletName } from '../contracts/ids';
import type { NamedAccount } from '../ledger/names';
import type { Caller } from './auth';
import type { ApiDeps } from './deps';
import { Problem } from './problems';

/** The caller's wallet of that name. Somebody else's is answered like one that isn't there. */
export async function ownWallet(
  { names }: Pick<ApiDeps, 'names'>,
  caller: Caller,
  name: WalletName,
): Promise<NamedAccount> {
  const found = names.cached(name) ?? (await names.resolve(name));
  if (found?.ownerId === caller.userId) return found;
  throw new Problem('not_found', { detail: `You have no wallet ${walletName(name)}.` });
}
