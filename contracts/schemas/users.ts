import { z } from 'zod';
import { USERNAME } from '../ids';
import { SCOPES } from '../permissions';
import { ROLES, USER_STATUSES } from '../statuses';
import { emailAddress, text, timestamp } from './parts';

export const newUser = z
  .strictObject({
    username: z.string().regex(USERNAME, 'must be 3 to 32 of a-z, 0-9 and _'),
    password: text(200).min(10, 'must have at least 10 characters'),
    name: text(200).min(1),
    email: emailAddress,
  })
  .meta({ id: 'NewUser' });

export const user = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    name: z.string(),
    email: z.string(),
    roles: z.array(z.enum(ROLES)),
    createdAt: timestamp,
  })
  .meta({ id: 'User' });

export const credentials = z
  .strictObject({ username: text(200).min(1), password: text(200).min(1) })
  .meta({ id: 'Credentials' });
export const session = z
  .strictObject({
    accessToken: z.string(),
    expiresAt: timestamp,
    refreshToken: z.string().meta({ description: 'Good once: each refresh gives another' }),
    refreshExpiresAt: timestamp.meta({ description: 'When the session ends, however often it is refreshed' }),
  })
  .meta({ id: 'Session' });
export const refreshRequest = z.strictObject({ refreshToken: text(200).min(1) }).meta({ id: 'RefreshRequest' });
export const liveSession = z
  .strictObject({
    id: z.string().meta({ example: 'se_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
    current: z.boolean().meta({ description: 'Whether it is the one that asks' }),
    address: z.string().nullable().meta({ description: 'From where it was signed in to, or last refreshed' }),
    userAgent: z.string().nullable(),
    createdAt: timestamp,
    lastUsedAt: timestamp.meta({ description: 'To about a minute' }),
    expiresAt: timestamp,
  })
  .meta({ id: 'LiveSession' });
export const liveSessionList = z.strictObject({ data: z.array(liveSession) }).meta({ id: 'LiveSessionList' });
export const passwordChange = z
  .strictObject({
    currentPassword: text(200).min(1),
    newPassword: text(200).min(10, 'must have at least 10 characters'),
    revokeApiKeys: z.boolean().default(false).meta({ description: 'Whether my API keys end with it' }),
  })
  .meta({ id: 'PasswordChange' });
export const endSessionsQuery = z.strictObject({
  revokeApiKeys: z.enum(['true', 'false']).default('false').meta({ description: 'Whether my API keys end with them' }),
});

const scopes = z
  .array(z.enum(SCOPES, 'must be a permission that a key can have'))
  .meta({ description: 'Permissions: see docs/access.md', example: ['wallets:read'] });
export const newApiKey = z
  .strictObject({
    name: text(100).min(1).meta({ description: 'For you to tell it by' }),
    scopes: scopes.min(1).max(SCOPES.length),
    expiresInDays: z.number().int().min(1).max(365),
  })
  .meta({ id: 'NewApiKey' });
export const apiKey = z
  .strictObject({
    id: z.string().meta({ example: 'ak_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
    name: z.string(),
    scopes,
    createdAt: timestamp,
    lastUsedAt: timestamp.nullable().meta({ description: 'To about a minute' }),
    expiresAt: timestamp,
  })
  .meta({ id: 'ApiKey' });
export const madeApiKey = z
  .strictObject({
    ...apiKey.shape,
    key: z.string().meta({ description: 'For `Authorization: Bearer …` or `ApiKey …`; shown only here' }),
  })
  .meta({ id: 'MadeApiKey' });
export const apiKeyList = z.strictObject({ data: z.array(apiKey) }).meta({ id: 'ApiKeyList' });

export const rolesChange = z
  .strictObject({ roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length) })
  .meta({ id: 'RolesChange' });
export const rolesProposal = z
  .strictObject({
    userId: z.string(),
    roles: z
      .array(z.enum(ROLES))
      .meta({ description: 'All that the user is to have, once another admin says the same' }),
    proposedAt: timestamp,
  })
  .meta({ id: 'RolesProposal' });
export const staffUser = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    roles: z.array(z.enum(ROLES)),
    status: z.enum(USER_STATUSES),
    createdAt: timestamp,
  })
  .meta({ id: 'StaffUser', description: 'What staff needs to know of a user: nothing personal but the name' });

export const userSearch = z
  .strictObject({ email: emailAddress.meta({ description: 'In whatever case' }) })
  .meta({ id: 'UserSearch' });
export const staffUserList = z.strictObject({ data: z.array(staffUser) }).meta({ id: 'StaffUserList' });
export const erasure = z
  .strictObject({
    userId: z.string(),
    state: z.enum(['proposed', 'erased']).meta({ description: 'proposed: a second admin has to ask for the same' }),
    proposedAt: timestamp,
    erasedAt: timestamp.nullable(),
  })
  .meta({ id: 'Erasure' });

export type StaffUserView = z.infer<typeof staffUser>;
export type ErasureView = z.infer<typeof erasure>;
export type ApiKeyView = z.infer<typeof apiKey>;
export type LiveSessionView = z.infer<typeof liveSession>;
export type UserView = z.infer<typeof user>;
