import { randomBytes, randomUUID } from 'node:crypto';
import { shardOfId, type UserId } from '../../contracts/ids';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import type { HttpAnswer } from '../support/http';

export interface Credentials {
  username: string;
  password: string;
}

/** Asks the API as somebody who is signed in, until an answer says what is so. */
export class Caller {
  private constructor(
    private readonly url: string,
    readonly token: string,
  ) {}

  static async signIn(url: string, { username, password }: Credentials): Promise<Caller> {
    const body = { username, password };
    const answer = await askCarefully([url], '/v1/sessions', { method: 'POST', body });
    expect(answer).toMatchObject({ status: 201 });
    return new Caller(url, answer.body.accessToken as string);
  }

  get(path: string): Promise<HttpAnswer> {
    return askCarefully([this.url], path, { token: this.token });
  }

  post(path: string, body: object, key: string = randomUUID()): Promise<HttpAnswer> {
    const headers = { 'idempotency-key': key };
    return askCarefully([this.url], path, { method: 'POST', token: this.token, headers, body, timeoutMs: 60_000 });
  }
}

/** Somebody whom nobody has met before: signed up, with a password. */
export async function signUp(url: string, name = 'e2e'): Promise<Credentials> {
  const who = { username: `${name}_${randomBytes(6).toString('hex')}`, password: randomUUID() };
  const body = { ...who, name: 'End To End', email: `${who.username}@example.com` };
  const { status } = await askCarefully([url], '/v1/users', { method: 'POST', body });
  // Of an answer that was lost, the next one says that the name is taken.
  expect([201, 409]).toContain(status);
  return who;
}

/** A customer with a wallet and a bank account. */
export class Customer {
  /** What is in the wallet, if all went as told: in whole dollars. */
  dollars = 0;

  private constructor(
    readonly api: Caller,
    readonly userId: UserId,
    readonly username: string,
    readonly wallet: string,
    readonly shard: number,
    readonly bankAccount: string,
  ) {}

  static async join(url: string): Promise<Customer> {
    const who = await signUp(url);
    const api = await Caller.signIn(url, who);
    const me = await api.get('/v1/me');
    const opened = await api.post('/v1/wallets', { currency: 'SGD' });
    expect([200, 201]).toContain(opened.status);
    const bankAccount = await verifiedBankAccount([url], api.token);
    const userId = me.body.id as UserId;
    return new Customer(api, userId, who.username, `${who.username}.SGD`, shardOfId(userId)!, bankAccount);
  }

  async balance(): Promise<{ balance: string; held: string }> {
    const { status, body } = await this.api.get(`/v1/wallets/${this.wallet}`);
    expect(status).toBe(200);
    return { balance: body.balance as string, held: body.held as string };
  }
}
