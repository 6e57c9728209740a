import net from 'node:net';
import { until } from './stack';

type Way = 'toServer' | 'toClient';

interface Rule {
  way: Way;
  /** Bytes that set it off, such as a statement's text. */
  on: string;
  then: 'hold' | 'cut';
  met: boolean;
}

/**
 * A wire between a process and Postgres. It passes everything on, until a test has it hold what travels, or cut the
 * connection instead of passing an answer on: the other side has then done what nobody here hears of.
 */
export class Proxy {
  private readonly links = new Set<Link>();
  private rule: Rule | undefined;

  private constructor(
    private readonly server: net.Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (client) => {
      const link = new Link(client, net.connect(this.target), this);
      this.links.add(link);
      if (this.rule?.met && this.rule.then === 'hold') link.hold(this.rule.way);
    });
  }

  static async to(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url);
    const server = net.createServer();
    const proxy = new Proxy(server, { host: hostname, port: Number(port) });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The same address, by way of this wire. */
  urlOf(url: string): string {
    const through = new URL(url);
    through.port = String((this.server.address() as net.AddressInfo).port);
    return through.href;
  }

  /** From the first chunk with these bytes on, that direction of that connection, and of every later one, is held. */
  holdFrom(way: Way, on: string): void {
    this.rule = { way, on, then: 'hold', met: false };
  }

  /** The first chunk with these bytes is not passed on; the connection breaks instead. */
  cutAt(way: Way, on: string): void {
    this.rule = { way, on, then: 'cut', met: false };
  }

  /** Resolves when the bytes that were waited for came by. */
  async met(): Promise<void> {
    const { rule } = this;
    await until(`"${rule?.on}" to come by`, () => rule?.met === true);
  }

  /** What was held goes on its way. */
  release(): void {
    this.rule = undefined;
    for (const link of this.links) link.release();
  }

  async close(): Promise<void> {
    for (const link of this.links) link.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** What to do with a chunk. */
  judge(way: Way, chunk: Buffer): Rule['then'] | 'pass' {
    const { rule } = this;
    if (!rule || rule.met || rule.way !== way || !chunk.includes(rule.on)) return 'pass';
    rule.met = true;
    return rule.then;
  }
}

class Link {
  private readonly held: Record<Way, Buffer[] | undefined> = { toServer: undefined, toClient: undefined };

  constructor(
    private readonly client: net.Socket,
    private readonly server: net.Socket,
    proxy: Proxy,
  ) {
    this.carry('toServer', client, server, proxy);
    this.carry('toClient', server, client, proxy);
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  hold(way: Way): void {
    this.held[way] ??= [];
  }

  release(): void {
    for (const [way, from, to] of [
      ['toServer', this.client, this.server],
      ['toClient', this.server, this.client],
    ] as const) {
      for (const chunk of this.held[way] ?? []) to.write(chunk);
      this.held[way] = undefined;
      if (from.destroyed) to.end();
    }
  }

  private carry(way: Way, from: net.Socket, to: net.Socket, proxy: Proxy): void {
    from.on('data', (chunk) => {
      const verdict = proxy.judge(way, chunk);
      if (verdict === 'cut') return this.cut();
      if (verdict === 'hold') this.hold(way);
      const waiting = this.held[way];
      if (waiting) waiting.push(chunk);
      else to.write(chunk);
    });
    from.on('error', () => to.destroy());
    // Bytes that are held may outlive their sender, as they do on a real wire.
    from.on('close', () => {
      if (!this.held[way]) to.destroy();
    });
  }
}
