import { patientOutOfReach } from '../../../schema/fault/refusals.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { requirePatientSet } from '../../../schema/fhir/search/patient-sets.ts';
import type { WantedPatients } from '../study/study-records.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { recordOf } from './joins/chains.ts';
import type { RecordJoins } from './joins/record-joins.ts';
import type { ImagingStudySearch, NamedPatient } from './search.ts';

/**
 * Returns the patients to search in: undefined for all in reach; none if the search requires two different patients; those
 * of one list together.
 */
export function patientsOf(
  imaging: AuthorizedStudies,
  { patients, among }: ImagingStudySearch,
  record: RecordJoins | undefined,
): Awaitable<readonly WantedPatients[]> {
  if (patients.length === 0) return [among && imaging.isLocal ? among : undefined];
  const [alternatives, ...others] = patients;
  const [one, ...more] = alternatives!;
  // As most searches do, it names one patient by the logical id.
  if (others.length === 0 && more.length === 0 && one !== undefined && one !== 'foreign' && 'id' in one)
    return andThen(imaging.patient(one), (id) => [id]);
  return severalPatients(imaging, patients, record);
}

async function severalPatients(
  imaging: AuthorizedStudies,
  patients: ImagingStudySearch['patients'],
  record: RecordJoins | undefined,
): Promise<readonly WantedPatients[]> {
  const named = await Promise.all(
    patients.map(async (alternatives) =>
      (await Promise.all(alternatives.map((one) => patientIds(imaging, one, record)))).flat(),
    ),
  );
  const sets = named.map((ids) => new Set(ids));
  const found = [...(sets[0] ?? [])].filter((id) => sets.every((ids) => ids.has(id)));
  const isChained = patients.flat().some((one) => one !== 'foreign' && 'chain' in one);
  if (!isChained || found.length < 2) return found;
  const { isLocal } = imaging;
  requirePatientSet(found.length, isLocal);
  if (isLocal) return [found];
  // One search for all that a chain finds, instead of one for each.
  await imaging.prefetch(found);
  return found;
}

/** Returns the patients that a parameter names: one, or those that the record finds by a chain. */
async function patientIds(
  imaging: AuthorizedStudies,
  patient: NamedPatient,
  record: RecordJoins | undefined,
): Promise<string[]> {
  if (patient === 'foreign' || !('chain' in patient)) return [await patientId(imaging, patient)];
  const search = { type: 'Patient', ...patient.chain } as const;
  const { tenant, access } = imaging;
  const links = await recordOf(record, search).linked({ tenant, access }, search);
  return links.flatMap(({ _patientId }) => _patientId ?? []);
}

async function patientId(
  imaging: AuthorizedStudies,
  patient: Exclude<NamedPatient, { chain: unknown }>,
): Promise<string> {
  if (patient === 'foreign') {
    throw patientOutOfReach();
  }
  return imaging.patient(patient);
}
