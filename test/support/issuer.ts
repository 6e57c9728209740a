import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload, type KeyLike } from 'jose';

interface SigningKey {
  kid: string;
  alg: string;
  privateKey: KeyLike;
  publicKey: KeyLike;
  jwk: JWK;
}

async function newKey(kid: string, alg: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An identity provider: it publishes its keys, changes them, and may be away. */
export class Issuer {
  readonly audience = 'holdfast-of-tests';
  /** How often it was asked for its keys, and for where they are. */
  asked = { keys: 0, discovery: 0 };
  /** What its discovery document calls it. */
  calledAs: string;
  isAway = false;
  private keys: SigningKey[] = [];
  private made = 0;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {
    this.calledAs = url;
    server.on('request', (req, res) => {
      if (this.isAway) return req.socket.destroy();
      if (req.url === '/.well-known/openid-configuration') {
        this.asked.discovery += 1;
        res.end(JSON.stringify({ issuer: this.calledAs, jwks_uri: `${url}/keys` }));
      } else {
        this.asked.keys += 1;
        res.end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }));
      }
    });
  }

  static async start(): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new Issuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await issuer.rotate();
    return issuer;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get key(): SigningKey {
    return this.keys.at(-1)!;
  }

  /** Signs with a new key from now on, and takes the old ones back. */
  async rotate(alg = 'RS256'): Promise<void> {
    this.keys = [await newKey(`key-${(this.made += 1)}`, alg)];
  }

  /** A key of the same name that it never published. */
  forged(): Promise<SigningKey> {
    return newKey(this.key.kid, this.key.alg);
  }

  claimsOf(username: string, more: JWTPayload = {}): JWTPayload {
    const now = Math.floor(Date.now() / 1_000);
    const who = { sub: `subject of ${username.toLowerCase()}`, preferred_username: username };
    return { iss: this.url, aud: this.audience, iat: now, exp: now + 300, ...who, ...more };
  }

  /** A claim that is undefined is left out. */
  token(username: string, more: JWTPayload = {}, key = this.key): Promise<string> {
    const claims = JSON.parse(JSON.stringify(this.claimsOf(username, more))) as JWTPayload;
    return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.privateKey);
  }
}
