/** True in `npm run test:long`: tests then run all their cases. */
export const LONG = process.env['LONG_TESTS'] === '1';
