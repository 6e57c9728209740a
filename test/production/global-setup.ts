import { buildTemporalServer, TEMPORAL_SERVER_VERSION } from '../support/temporal-server-program';

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Before the first test, so that building is nobody's time-out. */
export default async function globalSetup(): Promise<void> {
  if (buildTemporalServer(say)) return;
  say(`Temporal server ${TEMPORAL_SERVER_VERSION} can't be built: Go is not installed. What needs it is left out.`);
}
