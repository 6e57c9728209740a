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
 * A wire to a server. It passes everything on, until a test takes the server away, loses its answers, holds what
 * travels, or breaks the connection instead of passing an answer on: the other side has then done what nobody here
 * hears of.
 */
export class Wire {
  private readonly links = new Set<Link>();
  private rule: Rule | undefined;
  private isAway = false;

  private constructor(
    private readonly server: net.Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** To the server at a URL, or at `host:port`. */
  static async to(server: string): Promise<Wire> {
    const { hostname, port } = new URL(server.includes('://') ? server : `tcp://${server}`);
    const here = net.createServer();
    await new Promise<void>((resolve) => here.listen(0, '127.0.0.1', resolve));
    return new Wire(here, { host: hostname, port: Number(port) });
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  /** The same address, by way of this wire. */
  urlOf(url: string): string {
    const through = new URL(url);
    through.host = this.address;
    return through.href;
  }

  /** Nothing arrives, and who tries is cut off at once. */
  goAway(): void {
    this.isAway = true;
    this.cutAll();
  }

  /** What is asked still arrives; its answers do not. */
  swallowAnswers(): void {
    this.rule = { way: 'toClient', on: '', then: 'hold', met: true };
    for (const link of this.links) link.hold('toClient');
  }

  /** As if nothing had been; a connection whose answers were lost is of no use any more. */
  comeBack(): void {
    this.isAway = false;
    if (this.rule) this.cutAll();
    this.rule = undefined;
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
    this.cutAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** What to do with a chunk. */
  judge(way: Way, chunk: Buffer): Rule['then'] | 'pass' {
    const { rule } = this;
    if (!rule || rule.met || rule.way !== way || !chunk.includes(rule.on)) return 'pass';
    rule.met = true;
    return rule.then;
  }

  private accept(client: net.Socket): void {
    if (this.isAway) {
      client.destroy();
      return;
    }
    const link = new Link(client, net.connect(this.target), this);
    this.links.add(link);
    if (this.rule?.met && this.rule.then === 'hold') link.hold(this.rule.way);
  }

  private cutAll(): void {
    for (const link of this.links) link.cut();
  }
}

class Link {
  private readonly held: Record<Way, Buffer[] | undefined> = { toServer: undefined, toClient: undefined };

  constructor(
    private readonly client: net.Socket,
    private readonly server: net.Socket,
    wire: Wire,
  ) {
    this.carry('toServer', client, server, wire);
    this.carry('toClient', server, client, wire);
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

  private carry(way: Way, from: net.Socket, to: net.Socket, wire: Wire): void {
    from.setNoDelay();
    from.on('data', (chunk) => {
      const verdict = wire.judge(way, chunk);
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
