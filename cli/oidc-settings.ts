import { z } from 'zod';
import type { ProviderOptions } from '../api/provider';
import { ROLES, type Role } from '../contracts/statuses';
import type { ConfigProblem } from './settings';

/** Each is made with a private key, so that who can check a signature can't make one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

const webUrl = (example: string) => z.url({ protocol: /^https?$/, error: `must look like ${example}.` });

export const oidcVariables = {
  HOLDFAST_OIDC_ISSUER: webUrl('https://login.example.com/realms/wallet').optional(),
  HOLDFAST_OIDC_AUDIENCE: z.string().optional(),
  HOLDFAST_OIDC_JWKS_URL: webUrl('https://login.example.com/keys').optional(),
  HOLDFAST_OIDC_ALGORITHMS: z
    .string()
    .default('RS256,PS256,ES256,EdDSA')
    .transform(listed)
    .refine((all) => all.every((each) => ALGORITHMS.includes(each)), `must be some of ${ALGORITHMS.join(',')}.`),
  HOLDFAST_OIDC_USERNAME_CLAIM: z.string().default('preferred_username'),
  HOLDFAST_OIDC_ROLES_CLAIM: z.string().optional(),
  HOLDFAST_OIDC_ROLES: roleNames().optional(),
};

function listed(text: string): string[] {
  return text.split(',').map((each) => each.trim());
}

/** `wallet-ops:ops,wallet-staff:auditor`: what the provider calls a role, and which of ours that is. */
function roleNames() {
  return z.string().transform((text, context) => {
    const names = new Map<string, Role>();
    for (const pair of listed(text)) {
      const colon = pair.lastIndexOf(':');
      const role = ROLES.find((each) => each === pair.slice(colon + 1));
      if (colon > 0 && role) names.set(pair.slice(0, colon), role);
      else {
        const message = `"${pair}" will not do: give name:role pairs, like wallet-ops:ops; roles are ${ROLES.join(', ')}.`;
        context.addIssue({ code: 'custom', message });
      }
    }
    return names;
  });
}

type Settings = z.infer<z.ZodObject<typeof oidcVariables>>;

/** Undefined without an issuer: then only our own tokens are accepted. */
export function oidcConfig(settings: Settings): ProviderOptions | undefined {
  const { HOLDFAST_OIDC_ISSUER: issuer, HOLDFAST_OIDC_AUDIENCE: audience } = settings;
  if (issuer === undefined || audience === undefined) return undefined;
  const { HOLDFAST_OIDC_ROLES_CLAIM: claim, HOLDFAST_OIDC_ROLES: names } = settings;
  const { HOLDFAST_OIDC_JWKS_URL: jwksUrl } = settings;
  return {
    issuer,
    audience,
    algorithms: settings.HOLDFAST_OIDC_ALGORITHMS,
    usernameClaim: settings.HOLDFAST_OIDC_USERNAME_CLAIM,
    ...(jwksUrl !== undefined && { jwksUrl }),
    ...(claim !== undefined && names && { roles: { claim, names } }),
  };
}

export function oidcContradictions(settings: Settings & { HOLDFAST_ENV: string }): ConfigProblem[] {
  const needs = (variable: keyof Settings, other: keyof Settings): ConfigProblem[] =>
    settings[other] !== undefined && settings[variable] === undefined
      ? [{ variable, message: `is missing, and ${other} is of no use without it.` }]
      : [];
  const addresses = ['HOLDFAST_OIDC_ISSUER', 'HOLDFAST_OIDC_JWKS_URL'] as const;
  const open = addresses.filter(
    (each) => settings.HOLDFAST_ENV === 'production' && settings[each]?.startsWith('http:'),
  );
  return [
    ...needs('HOLDFAST_OIDC_AUDIENCE', 'HOLDFAST_OIDC_ISSUER'),
    ...needs('HOLDFAST_OIDC_ISSUER', 'HOLDFAST_OIDC_AUDIENCE'),
    ...needs('HOLDFAST_OIDC_ROLES', 'HOLDFAST_OIDC_ROLES_CLAIM'),
    ...needs('HOLDFAST_OIDC_ROLES_CLAIM', 'HOLDFAST_OIDC_ROLES'),
    ...open.map((variable) => ({
      variable,
      message: 'must begin with https: whoever can change the keys can be anybody.',
    })),
  ];
}
