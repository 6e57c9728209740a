import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/**
 * The boundaries of the design, as rules: which folder may know of what. A broken boundary fails `npm test`,
 * so nobody has to remember them.
 */
const folder = (name) => ({ regex: `^(\\.{1,2}/)+${name}(/|$)` });
const pkg = (name) => ({ regex: `^${name}(/|$)` });
const nodeBuiltIns = [{ regex: '^node:' }, { regex: `^(${builtinModules.join('|')})$` }];
const serverPackages = ['pg', 'kysely', 'express', 'pino'].map(pkg);
const configFiles = [folder('cli')];

const restrict = (patterns, message, options = {}) =>
  patterns.map((pattern) => ({ ...pattern, message, allowTypeImports: options.typesAllowed ?? false }));

const boundary = (files, patterns) => ({
  files: files.map((name) => `${name}/**/*.ts`),
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
});

const pure = (what) => [
  ...restrict(nodeBuiltIns, `${what} must not use Node's own modules: it has to be deterministic and pure.`),
  ...restrict(serverPackages, `${what} must not reach servers or write logs: that belongs in an activity.`),
  ...restrict(configFiles, `${what} must not read configuration: pass what it needs in its input.`),
];

export default defineConfig(
  { ignores: ['node_modules/', 'dist/', 'coverage/', '.holdfast/', 'test/histories/'] },
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A promise nobody waits for is a step that silently may not have happened.
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Interfaces often promise a Promise that one implementation doesn't need.
      '@typescript-eslint/require-await': 'off',
      // Our parts are objects of closures, without `this`: taking one function out of them is safe.
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // Tests read answers as a client would, without our types: a wrong shape fails the test, which is the point.
    files: ['test/**/*.ts'],
    rules: Object.fromEntries(
      ['assignment', 'member-access', 'argument', 'call', 'return'].map((use) => [
        `@typescript-eslint/no-unsafe-${use}`,
        'off',
      ]),
    ),
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'].map((n) => [
          n,
          'readonly',
        ]),
      ),
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { module: 'writable', require: 'readonly', __dirname: 'readonly' },
    },
  },

  boundary(
    ['contracts'],
    [
      ...pure('contracts/'),
      ...restrict(
        [{ regex: '^@temporalio/(?!workflow(/|$)|common(/|$))' }],
        'contracts/ may define messages with @temporalio/workflow and @temporalio/common, and know no more of Temporal.',
      ),
      ...restrict(
        ['ledger', 'workflows', 'activities', 'bank', 'payments', 'notifications', 'api', 'worker', 'migrations'].map(
          folder,
        ),
        'contracts/ is what every side agrees on: it imports none of the sides.',
      ),
    ],
  ),
  boundary(
    ['workflows'],
    [
      ...pure('A workflow'),
      ...restrict(
        [{ regex: '^@temporalio/(?!workflow(/|$)|common(/|$))' }],
        'A workflow may import only @temporalio/workflow and @temporalio/common.',
      ),
      ...restrict(['activities'].map(folder), 'A workflow may import only the types of activities.', {
        typesAllowed: true,
      }),
      ...restrict(
        ['ledger', 'bank', 'payments', 'notifications', 'api', 'worker', 'migrations'].map(folder),
        'A workflow does I/O only through activities.',
      ),
    ],
  ),
  {
    // The sandbox makes Date, Math.random and timers deterministic; these it can't make so, or are traps there.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'fetch', 'setImmediate', 'queueMicrotask', 'WeakRef', 'FinalizationRegistry'].map(
          (name) => ({ name, message: 'It is not deterministic in, or not there in, the workflow sandbox.' }),
        ),
        { name: 'setTimeout', message: 'Use sleep() of @temporalio/workflow, which cancels and reads better.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Program > VariableDeclaration[kind=/^(let|var)$/]',
          message: 'Module-level mutable state in a workflow file outlives or forgets runs.',
        },
        {
          selector: "NewExpression[callee.name='Error']",
          message: 'A plain Error retries the workflow task for ever: throw ApplicationFailure on purpose.',
        },
      ],
    },
  },
  boundary(
    ['api'],
    restrict(['activities', 'workflows'].map(folder), 'api/ may import only types of activities and workflows.', {
      typesAllowed: true,
    }),
  ),
  boundary(
    ['ledger'],
    [
      ...restrict([pkg('@temporalio')], 'The books know nothing of Temporal.'),
      ...restrict(['workflows', 'activities', 'api', 'worker', 'cli'].map(folder), 'The books know no caller.'),
    ],
  ),
  boundary(
    ['bank'],
    restrict(
      ['contracts', 'ledger', 'users', 'workflows', 'activities', 'api', 'worker', 'migrations', 'cli'].map(folder),
      'The bank is somebody else: a rail turns its words into ours, and neither knows anything of Holdfast.',
    ),
  ),
  boundary(
    ['notifications'],
    [
      ...restrict([pkg('@temporalio')], 'Notifications know nothing of Temporal: an activity calls them.'),
      ...restrict(
        ['workflows', 'activities', 'api', 'worker', 'cli'].map(folder),
        'Notifications read the books and know no caller.',
      ),
    ],
  ),
  boundary(
    ['payments'],
    [
      ...restrict(
        ['workflows', 'activities', 'api', 'cli'].map(folder),
        'What is stored beside the books knows no caller.',
      ),
      ...restrict([folder('worker')], 'payments/ is given what it wakes.', { typesAllowed: true }),
    ],
  ),
  {
    // Where tracing is off, none of it may be loaded.
    files: ['tracing/index.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: restrict(
            [pkg('@opentelemetry'), { regex: '^\\./' }],
            'It is loaded when tracing is turned on: import its types only.',
            { typesAllowed: true },
          ),
        },
      ],
    },
  },
  boundary(['activities'], restrict([folder('api'), folder('cli')], 'Activities are given what they need.')),
);
