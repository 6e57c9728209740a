import { asProblem, Problem, toProblemJson } from '../../api/problems';
import { ShardUnavailable } from '../../ledger/postgres';
import { NoOwner } from '../../ledger/seal';
import { TooManyPasswords } from '../../users/passwords';

const coded = (code: string) => Object.assign(new Error('said by a server'), { code });

describe('what is thrown', () => {
  test.each([
    ['a problem', new Problem('username_taken'), 'username_taken'],
    ['Postgres shutting down', coded('57P01'), 'shard_unavailable'],
    ['Postgres starting up', coded('57P03'), 'shard_unavailable'],
    ['a refused connection', coded('ECONNREFUSED'), 'shard_unavailable'],
    ['a broken connection', new Error('Connection terminated unexpectedly'), 'shard_unavailable'],
    ['a statement that took too long', coded('57014'), 'shard_unavailable'],
    ['a poster that gave up', new ShardUnavailable(0), 'shard_unavailable'],
    ['a user who was erased a moment ago', new NoOwner('us_0_a'), 'unauthenticated'],
    ['too many passwords', new TooManyPasswords(), 'overloaded'],
    ['a path that is no percent-encoding', new URIError('bad'), 'not_found'],
    ['a constraint that was violated', coded('23505'), 'internal'],
    ['a mistake of ours', new TypeError('undefined is not a function'), 'internal'],
    ['what is not even an error', 'text', 'internal'],
  ])('as %s is answered by its code', (_what, thrown, code) => {
    expect(asProblem(thrown).code).toBe(code);
  });

  test('shows nothing of itself where nobody foresaw it', () => {
    const shown = JSON.stringify(toProblemJson(asProblem(coded('23505')), { requestId: 'r' }));
    expect(shown).not.toContain('said by a server');
  });
});
