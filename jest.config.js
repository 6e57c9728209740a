// Unit tests need no server; integration tests get real ones from test/support/global-setup.ts.
/** @type {import('jest').Config} */
module.exports = {
  rootDir: __dirname,
  testMatch: ['<rootDir>/test/unit/**/*.test.ts', '<rootDir>/test/integration/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
    // It loads Node's http by import(), which Jest has for ES modules only.
    '/otlp-exporter-base/.+\\.js$': ['@swc/jest', { jsc: { target: 'es2023' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!@opentelemetry/otlp-exporter-base/)'],
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.holdfast/'],
  testSequencer: '<rootDir>/jest.sequencer.js',
  // Postgres and Temporal want a core too: more workers than this only slow each other down.
  maxWorkers: 2,
  // What native modules hold stays after each suite, and coverage walks through all of it: begin afresh before that grows.
  workerIdleMemoryLimit: '768MB',
  testTimeout: 60_000,
  collectCoverageFrom: [
    '{contracts,ledger,users,payments,notifications,workflows,activities,bank,api,worker,migrations,cli}/**/*.ts',
    '!**/*.test.ts',
    '!**/*.d.ts',
  ],
  coverageProvider: 'v8',
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'lcovonly'],
};
