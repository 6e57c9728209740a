// Jest begins with what took longest, and where it doesn't know, as in a fresh clone, with the biggest files. These are
// small and take long: one that begins last leaves a core idle.
const Sequencer = require('@jest/test-sequencer').default;

const LONG = ['integration/model', 'integration/payment-long-waits', 'unit/replay'];
const isLong = ({ path }) => LONG.some((name) => path.endsWith(`/${name}.test.ts`));

module.exports = class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
};
