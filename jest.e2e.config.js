// What people do with money, against a Holdfast that runs somewhere: `HOLDFAST_E2E_URL=https://… npm run test:e2e`.
const base = require('./jest.faults.config.js');

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
  globalSetup: null,
  globalTeardown: null,
};
