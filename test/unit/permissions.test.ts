import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GIVEN_BY_TWO, PERMISSIONS, roleFor, type Permission } from '../../contracts/permissions';
import { ROLES } from '../../contracts/statuses';

const page = readFileSync(path.join(__dirname, '../../docs/access.md'), 'utf8');
const documented = [...page.matchAll(/^\| `([a-z-]+:[a-z-]+)` +\| (\S.*?) +\| (\S.*?) +\|$/gm)];

test('docs/access.md says of every permission who has it, and of no other', () => {
  expect(documented.length).toBeGreaterThan(20);
  expect(Object.fromEntries(documented.map(([, permission, roles]) => [permission, roles]))).toEqual(
    Object.fromEntries(
      Object.entries(PERMISSIONS).map(([permission, roles]) => [
        permission,
        roles.length === ROLES.length ? 'everyone' : roles.join(', '),
      ]),
    ),
  );
});

test('whoever may be the second of two people was made so by two', () => {
  const byTwo = ['transactions:approve', 'transactions:resolve', 'personal-data:erase', 'roles:set'] as const;
  for (const permission of byTwo) {
    expect(GIVEN_BY_TWO).toEqual(expect.arrayContaining([...PERMISSIONS[permission]]));
  }
});

test('an auditor changes nothing but their own', () => {
  const own = ['password:change', 'sessions:manage', 'api-keys:manage'];
  const reading = /:(read|read-any|find|decode)$/;
  const more = (Object.keys(PERMISSIONS) as Permission[]).filter((each) => roleFor(each, ['auditor']));
  expect(more.filter((each) => !reading.test(each) && !own.includes(each))).toEqual([]);
});

test('whoever has several roles acts in the one of staff', () => {
  const permission: Permission = 'transactions:cancel';
  expect(roleFor(permission, ['customer', 'admin'])).toBe('admin');
  expect(roleFor(permission, ['auditor', 'customer'])).toBe('customer');
  expect(roleFor(permission, ['auditor'])).toBeUndefined();
  expect(roleFor(permission, [])).toBeUndefined();
});
