/**
 * The shapes of the API, once: requests are validated with them, openapi.json is made from them, and tests hold every
 * answer against them. Unknown fields are refused.
 */
export * from './bank-accounts';
export * from './bulk';
export * from './ops';
export * from './service';
export * from './transactions';
export * from './users';
export * from './wallets';
