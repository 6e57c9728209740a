import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface ReceivedHook {
  headers: IncomingHttpHeaders;
  raw: string;
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- read as a receiver would, without our types
}

/** Somebody's server that is told by webhook. */
export class HookReceiver {
  readonly received: ReceivedHook[] = [];
  /** What it answers; 200 unless a test says otherwise. */
  answers = () => 200;
  private server = http.createServer();
  private port = 0;

  static async start(): Promise<HookReceiver> {
    const receiver = new HookReceiver();
    await receiver.comeBack();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async goAway(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async comeBack(): Promise<void> {
    this.server = http.createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const raw = Buffer.concat(chunks).toString();
        const status = this.answers();
        if (status === 200) this.received.push({ headers: req.headers, raw, body: JSON.parse(raw) });
        res.writeHead(status).end();
      });
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }
}

export interface ReceivedMail {
  to: string[];
  /** Headers and body, as sent. */
  text: string;
}

/** A mail server that keeps what it is given. */
export class MailReceiver {
  readonly received: ReceivedMail[] = [];
  /** Addresses it has no mailbox for. */
  readonly unknown = new Set<string>();
  private server = this.makeServer();
  private port = 0;

  static async start(): Promise<MailReceiver> {
    const receiver = new MailReceiver();
    await receiver.listen();
    return receiver;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  goAway(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  async comeBack(): Promise<void> {
    this.server = this.makeServer();
    await this.listen();
  }

  private makeServer(): SMTPServer {
    return new SMTPServer({
      disabledCommands: ['STARTTLS', 'AUTH'],
      closeTimeout: 100,
      onRcptTo: ({ address }, _session, done) => {
        const refusal = Object.assign(new Error(`${address} has no mailbox here`), { responseCode: 550 });
        done(this.unknown.has(address) ? refusal : null);
      },
      onData: (stream, { envelope }, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const to = envelope.rcptTo.map(({ address }) => address);
          this.received.push({ to, text: Buffer.concat(chunks).toString() });
          done();
        });
      },
    });
  }

  private async listen(): Promise<void> {
    this.server.on('error', () => undefined);
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', () => resolve()));
    this.port = (this.server.server.address() as AddressInfo).port;
  }
}
