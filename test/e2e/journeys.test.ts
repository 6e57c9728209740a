import { demoPassword } from '../../cli/seed';
import { journeys, type Target } from './journeys';
import type { Credentials } from './person';

/** `HOLDFAST_E2E_STAFF=olivia:password,oscar:password`; without it, the demo's. */
function staffOf(text: string | undefined): [Credentials, Credentials] {
  const named = text?.split(',').map((pair) => ({
    username: pair.slice(0, pair.indexOf(':')),
    password: pair.slice(pair.indexOf(':') + 1),
  }));
  const [one, other] = named ?? ['ops', 'ops2'].map((username) => ({ username, password: demoPassword(username) }));
  if (!one || !other) throw new Error('HOLDFAST_E2E_STAFF names two people of ops: name:password,name:password');
  return [one, other];
}

const {
  HOLDFAST_E2E_URL: url = 'http://localhost:3000',
  HOLDFAST_E2E_BANK_URL: bankUrl,
  HOLDFAST_E2E_STAFF,
} = process.env;
const target: Target = { url, staff: staffOf(HOLDFAST_E2E_STAFF), ...(bankUrl && { bankUrl }) };

describe(`the Holdfast at ${url}`, () => journeys(() => target));
