import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ConfigProblem } from './settings';
import type { Config } from './config';

/** Temporal's own variables, read by the SDK's own package, so that they mean here what they mean elsewhere. */
export const TEMPORAL_VARIABLES = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_SERVER_NAME',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_PROFILE',
];

/** A file is read only when it is named: a profile left from other work must not redirect where money moves. */
export function namesTemporalProfile(env: Record<string, string | undefined>): boolean {
  return Boolean(env.TEMPORAL_CONFIG_FILE || env.TEMPORAL_PROFILE);
}

/** Whether a Temporal server of one's own is meant, rather than the embedded one. */
export function namesTemporalServer(env: Record<string, string | undefined>): boolean {
  return Boolean(env.TEMPORAL_ADDRESS) || namesTemporalProfile(env);
}

export function temporalSettings(
  env: Record<string, string>,
  production: boolean,
  problems: ConfigProblem[],
): Pick<Config['temporal'], 'address' | 'namespace' | 'connectionOptions'> {
  let address: string | undefined;
  let namespace: string | undefined;
  let connectionOptions = {};
  try {
    ({ namespace, connectionOptions } = loadClientConnectConfig({
      overrideEnvVars: env,
      disableFile: !namesTemporalProfile(env),
    }));
    ({ address } = connectionOptions as { address?: string });
  } catch (error) {
    const { message } = error as Error;
    // It says what is wrong but seldom where: look for the variable whose value it complains about.
    const culprit = TEMPORAL_VARIABLES.find((name) => env[name] !== undefined && message.includes(env[name]));
    problems.push({ variable: culprit ?? 'TEMPORAL_*', message: `can't be used: ${message}.` });
    return { address: '', namespace: '', connectionOptions };
  }
  if (address === undefined && production) {
    problems.push({ variable: 'TEMPORAL_ADDRESS', message: 'is missing: give host:port of your Temporal server.' });
  }
  if (address !== undefined && !/^[^\s/:]+:\d+$|^\[[^\]]+\]:\d+$/.test(address)) {
    problems.push({ variable: 'TEMPORAL_ADDRESS', message: 'must look like host:7233, without a scheme.' });
  }
  address ??= '127.0.0.1:7233';
  namespace ??= 'default';
  return { address, namespace, connectionOptions: { ...connectionOptions, address } };
}
