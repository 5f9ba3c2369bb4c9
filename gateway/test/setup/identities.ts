/**
 * Cases of the rules of docs/identity.md: records of one EHR that are merged, split off again or only refer to each other,
 * and which studies a token for each of them shows.
 */

/** `number`, `number old`, `number ended` (its period is over) or `number system`. */
type Number = string;

export interface IdentityCase {
  title: string;
  /** Records by letter: whether they are active, their numbers, their links as `type letter`. */
  records: Record<string, { active?: boolean; numbers: Number[]; links?: string[] }>;
  /**
   * PatientIDs of the studies, each maybe with its issuer, or with Other Patient IDs: `number issuer`, `number +other`.
   * Default: `a` and `b`.
   */
  studies?: string[];
  /** Studies that a token for the record shows. */
  shows: Record<string, string[]>;
}

const on = true;
const off = false;

export const IDENTITY_CASES: readonly IdentityCase[] = [
  {
    title: 'two records without a link',
    records: { A: { active: on, numbers: ['a'] }, B: { active: on, numbers: ['b'] } },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'refer and seealso, in both directions',
    records: {
      A: { active: on, numbers: ['a'], links: ['seealso B', 'refer B'] },
      B: { active: off, numbers: ['b'], links: ['refer A', 'seealso A'] },
    },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a merge that both records state',
    records: {
      A: { active: on, numbers: ['a'], links: ['replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a', 'b'], B: ['a', 'b'] },
  },
  {
    title: 'a merge whose survivor took over the number',
    records: {
      A: { active: on, numbers: ['a', 'b old'], links: ['replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a', 'b'], B: ['a', 'b'] },
  },
  {
    title: 'a merge of records that do not say whether they are active',
    records: {
      A: { numbers: ['a'], links: ['replaces B'] },
      B: { numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a', 'b'], B: ['a', 'b'] },
  },
  {
    title: 'a merge that only the survivor states',
    records: { A: { active: on, numbers: ['a'], links: ['replaces B'] }, B: { active: off, numbers: ['b'] } },
    shows: { A: ['a', 'b'], B: ['b'] },
  },
  {
    title: 'a merge that only the replaced record states',
    records: {
      A: { active: on, numbers: ['a'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a merge that only the replaced record states, and whose survivor took over the number',
    records: {
      A: { active: on, numbers: ['a', 'b old'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a', 'b'], B: [] },
  },
  {
    title: 'a merge whose replaced record is still active',
    records: {
      A: { active: on, numbers: ['a', 'b old'], links: ['replaces B'] },
      B: { active: on, numbers: ['b'], links: ['replaced-by A'] },
    },
    shows: { A: ['a'], B: [] },
  },
  {
    title: 'three records that were merged one after the other',
    records: {
      A: { active: on, numbers: ['a'], links: ['replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A', 'replaces C'] },
      C: { active: off, numbers: ['c'], links: ['replaced-by B'] },
    },
    studies: ['a', 'b', 'c'],
    shows: { A: ['a', 'b', 'c'], B: ['a', 'b', 'c'], C: ['a', 'b', 'c'] },
  },
  {
    title: 'a replaced record that names another successor',
    records: {
      A: { active: on, numbers: ['a'], links: ['replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by C'] },
      C: { active: on, numbers: ['c'], links: ['replaces B'] },
    },
    studies: ['a', 'b', 'c'],
    shows: { A: ['a'], B: ['b', 'c'], C: ['b', 'c'] },
  },
  {
    title: 'records that replace each other in a circle',
    records: {
      A: { active: off, numbers: ['a'], links: ['replaced-by B', 'replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A', 'replaces A'] },
    },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a link to a patient of another server with the same id',
    records: {
      A: { active: on, numbers: ['a'], links: ['replaces http://other.example.org/fhir/B'] },
      B: { active: off, numbers: ['b'] },
    },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a record that was split off again',
    records: { A: { active: on, numbers: ['a', 'b old'] }, B: { active: on, numbers: ['b'] } },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a record that was split off again, with a link that is left',
    records: {
      A: { active: on, numbers: ['a', 'b old'], links: ['replaces B'] },
      B: { active: on, numbers: ['b'] },
    },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a record that was split off again, with its number left in the other one',
    records: { A: { active: on, numbers: ['a', 'b'] }, B: { active: on, numbers: ['b'] } },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'an old number that nobody else has',
    records: { A: { active: on, numbers: ['a', 'b old'] } },
    shows: { A: ['a', 'b'] },
  },
  {
    title: 'a number whose period is over, and that nobody else has',
    records: { A: { active: on, numbers: ['a', 'b ended'] } },
    shows: { A: ['a', 'b'] },
  },
  {
    title: 'a number whose period is over, and that another patient has now',
    records: { A: { active: on, numbers: ['a', 'b ended'] }, B: { active: on, numbers: ['b'] } },
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'an old number that an inactive record has too',
    records: { A: { active: on, numbers: ['a', 'b old'] }, B: { active: off, numbers: ['b'] } },
    shows: { A: ['a'], B: [] },
  },
  {
    title: 'an old number that another patient has now beside an own one',
    records: { A: { active: on, numbers: ['a', 'b old'] }, B: { active: on, numbers: ['b', 'c'] } },
    studies: ['a', 'b', 'c'],
    shows: { A: ['a'], B: ['b', 'c'] },
  },
  {
    title: 'a current number of two records that have several',
    records: { A: { active: on, numbers: ['a', 'c'] }, B: { active: on, numbers: ['b', 'c'] } },
    studies: ['a', 'b', 'c'],
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'an old number of two records',
    records: { A: { active: on, numbers: ['a', 'c old'] }, B: { active: on, numbers: ['b', 'c old'] } },
    studies: ['a', 'b', 'c'],
    shows: { A: ['a'], B: ['b'] },
  },
  {
    title: 'a number of a replaced record that a third patient has now',
    records: {
      A: { active: on, numbers: ['a'], links: ['replaces B'] },
      B: { active: off, numbers: ['b'], links: ['replaced-by A'] },
      C: { active: on, numbers: ['b'] },
    },
    shows: { A: ['a'], B: ['a'], C: ['b'] },
  },
  {
    title: 'numbers of two issuers',
    records: { A: { active: on, numbers: ['a urn:x', 'b urn:y'] } },
    studies: ['a urn:x', 'b urn:y', 'a', 'b urn:unknown', 'a urn:y', 'b urn:x'],
    shows: { A: ['a urn:x', 'b urn:y', 'a', 'b urn:unknown'] },
  },
  {
    title: 'the number of the patient among Other Patient IDs',
    records: { A: { active: on, numbers: ['a'] }, B: { active: on, numbers: ['b'] } },
    studies: ['a', 'b +a'],
    shows: { A: ['a'], B: ['b +a'] },
  },
];
