// The topology of docker-compose.yml by hand, with Temporal's own server, which Go builds once: `npm run test:production`.
const base = require('./jest.faults.config.js');

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/test/production/**/*.test.ts'],
  globalSetup: '<rootDir>/test/production/global-setup.ts',
  globalTeardown: null,
};
