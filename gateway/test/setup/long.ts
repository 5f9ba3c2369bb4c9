/** Whether `npm run test:long` runs: more cases of tests that the usual run has few of. */
export const LONG = process.env['LONG_TESTS'] === '1';
