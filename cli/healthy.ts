/**
 * Whether the process of ours that runs in this container is healthy; a container has only one, so whichever answers is
 * meant. It runs every few seconds, so it loads nothing.
 */
const { PORT = '3000', HOLDFAST_WORKER_HEALTH_PORT = '3100', HOLDFAST_BANK_PORT = '3100' } = process.env;
const addresses = [
  `http://127.0.0.1:${PORT}/readyz`,
  `http://127.0.0.1:${HOLDFAST_WORKER_HEALTH_PORT}/healthz`,
  `http://127.0.0.1:${HOLDFAST_BANK_PORT}/healthz`,
];

async function isWell(address: string): Promise<void> {
  const { ok, status } = await fetch(address, { signal: AbortSignal.timeout(4_000) });
  if (!ok) throw new Error(`${address} answered ${status}`);
}

Promise.any(addresses.map(isWell)).then(
  () => process.exit(0),
  (error: AggregateError) => {
    console.error(error.errors.map(String).join('\n'));
    process.exit(1);
  },
);
