// Pictures of the real Web UI for docs/operating.md, taken of real workflows: `npm run screenshots`.
const base = require('./jest.config.js');

process.env.HOLDFAST_TEST_WEB_UI = '1';

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/test/screenshots/**/*.test.ts'],
  maxWorkers: 1,
  testTimeout: 300_000,
};
