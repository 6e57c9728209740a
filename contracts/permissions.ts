import type { Role } from './statuses';

const EVERYONE = ['customer', 'ops', 'auditor', 'admin'] as const;
const CUSTOMER = ['customer'] as const;
/** Who may read everybody's things. */
const STAFF = ['ops', 'auditor', 'admin'] as const;
/** Who may act on everybody's things. */
const OPERATORS = ['ops', 'admin'] as const;

/**
 * Who may do what. A route names its permission, and so does a handler that lets some callers do more: what has no row
 * here, or not the caller's role in its row, is refused.
 */
export const PERMISSIONS = {
  // One's own things.
  'profile:read': EVERYONE,
  'password:change': EVERYONE,
  'sessions:manage': EVERYONE,
  'api-keys:manage': EVERYONE,
  'wallets:open': CUSTOMER,
  'wallets:close': CUSTOMER,
  'wallets:read': CUSTOMER,
  'limits:read': CUSTOMER,
  'payees:read': CUSTOMER,
  'transfers:create': CUSTOMER,
  'deposits:create': CUSTOMER,
  'withdrawals:create': CUSTOMER,
  'bank-accounts:add': CUSTOMER,
  'bank-accounts:read': CUSTOMER,
  'transactions:list': CUSTOMER,
  'transactions:read': EVERYONE,
  'transactions:cancel': ['customer', 'ops', 'admin'],
  'transactions:refund': ['customer', 'ops', 'admin'],

  // Everybody's.
  'transactions:read-any': STAFF,
  'transactions:cancel-any': OPERATORS,
  'transactions:refund-any': OPERATORS,
  'transactions:retry': OPERATORS,
  'transactions:approve': OPERATORS,
  'transactions:reject': OPERATORS,
  'transactions:resolve': OPERATORS,
  'adjustments:create': OPERATORS,
  'attention:read': STAFF,
  'inbox:read': STAFF,
  'inbox:resolve': OPERATORS,
  'reconciliations:read': STAFF,
  'reconciliations:start': OPERATORS,
  'wallets:freeze': OPERATORS,
  'users:freeze': OPERATORS,
  'limits:read-any': STAFF,
  'limits:set': OPERATORS,
  'sessions:end-any': OPERATORS,
  'roles:set': ['admin'],
  'audit:read': STAFF,
  'users:find': STAFF,
  'payloads:decode': STAFF,
  'personal-data:erase': ['admin'],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof PERMISSIONS;

/** Whoever has one of these may be the second of two people, so two people give it. */
export const GIVEN_BY_TWO: readonly Role[] = OPERATORS;

/** What takes the person: whoever got hold of a key could stay, by these, when it is taken from them. */
export const NEVER_BY_KEY: readonly Permission[] = [
  'password:change',
  'sessions:manage',
  'sessions:end-any',
  'api-keys:manage',
  'roles:set',
  'personal-data:erase',
];
export const SCOPES = (Object.keys(PERMISSIONS) as Permission[]).filter((each) => !NEVER_BY_KEY.includes(each));

/** In which of the roles it may be done: a staff one, where there is one. */
export function roleFor(permission: Permission, roles: readonly Role[]): Role | undefined {
  const allowed = roles.filter((role) => PERMISSIONS[permission].some((each) => each === role));
  return allowed.find((role) => role !== 'customer') ?? allowed[0];
}
