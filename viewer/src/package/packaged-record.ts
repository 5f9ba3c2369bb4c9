import type { RecordSource } from '../data/source.ts';
import { Trouble } from '../data/trouble.ts';
import type { PackageIndex } from '../domain/package/content.ts';

/** The record of an open package. */
export function packagedRecord({ record, trends }: PackageIndex): RecordSource {
  const none = () => Promise.reject(new Trouble('not-found', 'a package has one record'));
  return {
    patients: () => Promise.resolve({ items: [record.person] }),
    record: () => Promise.resolve(record),
    trend: (_patient, code) => (Object.hasOwn(trends, code) ? Promise.resolve(trends[code]!) : none()),
    patientOf: () => Promise.resolve(record.person.id),
    priors: () => Promise.resolve([]),
    accesses: none,
    sharing: none,
  };
}
