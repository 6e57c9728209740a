import { checkPassword, hashPassword, TooManyPasswords } from '../../users/passwords';

describe('a password', () => {
  test('is known by its hash, and only it', async () => {
    const hash = await hashPassword('correct horse');
    expect(await checkPassword('correct horse', hash)).toBe(true);
    expect(await checkPassword('correct horsf', hash)).toBe(false);
    expect(await hashPassword('correct horse')).not.toBe(hash);
  });

  test('of nobody never matches', async () => {
    expect(await checkPassword('', undefined)).toBe(false);
  });

  test('waits its turn among a hundred; more are refused at once, and afterwards all is as before', async () => {
    const results = await Promise.allSettled(Array.from({ length: 120 }, () => hashPassword('pressing')));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(18);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(TooManyPasswords);
    expect(await hashPassword('later')).toMatch(/^\$argon2id/);
  });
});
