import { createTransport } from 'nodemailer';
import { ERASED, fieldOf, type Sealer } from '../ledger/seal';
import { Undeliverable, type Channel, type Recipient } from './channels';

export interface EmailSettings {
  smtpUrl: string;
  from: string;
  /** Without it, only users get mails. */
  opsAddress?: string;
}

const CONNECTIONS = 5;
const TIMEOUT_MS = 5_000;

/** A plain-text mail. A user's address is opened here, and goes nowhere else. */
export function emailChannel({ smtpUrl, from, opsAddress }: EmailSettings, sealer: Sealer): Channel {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: CONNECTIONS,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  async function addressOf(to: Recipient): Promise<string | undefined> {
    if (to.audience === 'ops') return opsAddress;
    const address = await sealer.open(to.emailSealed, fieldOf.email(to.userId));
    if (address === ERASED) throw new Undeliverable('the user was erased');
    return address;
  }
  return {
    name: 'email',
    reaches: opsAddress === undefined ? ['user'] : ['user', 'ops'],
    atOnce: CONNECTIONS,
    async send({ id, to, subject, text }) {
      const messageId = `<${id}@${domainOf(from)}>`;
      const headers = { 'auto-submitted': 'auto-generated' };
      const address = await addressOf(to);
      await transport.sendMail({ from, to: address, subject, text, messageId, headers }).catch(fail);
    },
    close: () => transport.close(),
  };
}

/** The server's own words may repeat the address, so only its codes are kept. */
function fail(error: unknown): never {
  const { code, responseCode, rejected } = error as { code?: string; responseCode?: number; rejected?: string[] };
  const why = [code, responseCode].filter((each) => each !== undefined).join(' ');
  if (rejected?.length && responseCode !== undefined && responseCode >= 500) {
    throw new Undeliverable(`the mail server refuses the recipient: ${why}`);
  }
  throw new Error(`the mail server did not take it: ${why}`);
}

function domainOf(from: string): string {
  return /@([^\s<>@]+)>?\s*$/.exec(from)?.[1] ?? 'holdfast.invalid';
}
