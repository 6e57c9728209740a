import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands before a server, so that a test can take its answers, or the server, away and bring them back. */
export class TcpProxy {
  private readonly pairs = new Set<Socket[]>();
  private answersArrive = true;
  private isAway = false;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** Before `host:port`. */
  static async before(address: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(`tcp://${address}`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TcpProxy(server, { host: hostname, port: Number(port) });
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What is asked still arrives; its answers do not. */
  swallowAnswers(): void {
    this.answersArrive = false;
  }

  /** Nothing arrives, and who tries is cut off at once. */
  goAway(): void {
    this.isAway = true;
    this.cut();
  }

  /** As if nothing had been; a connection whose answers were lost is of no use any more. */
  comeBack(): void {
    const wasWhole = this.answersArrive;
    this.answersArrive = true;
    this.isAway = false;
    if (!wasWhole) this.cut();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    if (this.isAway) {
      client.destroy();
      return;
    }
    const upstream = connect(this.target);
    const pair = [client, upstream];
    this.pairs.add(pair);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => this.answersArrive && client.write(bytes));
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
  }

  private cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }
}
