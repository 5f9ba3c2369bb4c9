/** What a source or the core says of an object that is unknown, out of reach or withheld. */
export { noSuchObject, noSuchResource } from '../../../schema/fault/refusals.ts';
