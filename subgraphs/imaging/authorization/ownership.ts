import type { PatientGrant } from '../../../schema/access/access.ts';
import { Tag, text, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Coverage } from '../../../schema/access/scopes.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import { askable, shownIdentifier, unpadded, type PatientKey } from '../facts/identifiers.ts';
import { medicalRecordNumbers, type EvaluatePath } from '../sources/mrn-paths.ts';

/** Whose a study is: pure decisions over facts that the source gave, made anew for every request (IA-29, DW-21). */

type Lookup = Pick<ImagesConfig, 'lookup' | 'mrn' | 'issuer' | 'matchBirthDate'>;

/**
 * What one grant reaches in one image source, by the way that the source finds a patient (DW-19): every study, those of
 * PatientIDs, or those of accession numbers. Empty lists reach nothing.
 */
export type Reach = { grant: PatientGrant } & (
  | { by: 'server' }
  | { by: 'mrn'; keys: readonly PatientKey[] }
  | { by: 'accession'; numbers: readonly string[] }
);

/**
 * What the grant reaches in a source.
 * @param accessionNumbers the patient's, for sources that find studies by them
 * @param evaluate evaluates paths of the source's `mrn`
 * @throws Fault where the EHR did not say who the patient is: refused, not guessed (IA-9); `unavailable` where it is away,
 * `bad_gateway` where it answered without
 */
export async function reachOf(
  grant: PatientGrant,
  config: Lookup,
  accessionNumbers: readonly string[],
  evaluate: EvaluatePath,
): Promise<Reach> {
  if (config.lookup === 'all-studies-on-server') return { grant, by: 'server' };
  if (!grant.identity && (config.lookup === 'studies-by-mrn' || config.matchBirthDate)) {
    const message = 'The clinical server did not say who the patient is; try again later.';
    const service = 'clinical';
    throw grant.identityAway
      ? new Fault('unavailable', message, { service, retryAfter: RETRY_SECONDS })
      : new Fault('bad_gateway', message, { service });
  }
  if (config.lookup === 'studies-by-accession') {
    return { grant, by: 'accession', numbers: askable(accessionNumbers.map(unpadded)) };
  }
  const numbers = await medicalRecordNumbers(grant.identity!, config.mrn, evaluate);
  const keys = numbers.map((value) => ({
    value,
    ...(config.issuer !== undefined && { issuer: config.issuer }),
  }));
  return { grant, by: 'mrn', keys };
}

/**
 * Whether a row is of a study that the grant reaches: its PatientID, or its accession number, is one of the patient's to
 * the letter, the issuer of the PatientID agrees where one is configured, the birth date does not contradict (DW-21), and
 * the study is among those the grant is limited to (IA-8). Accession numbers are of studies: rows of other levels need
 * not show them, and then belong to nobody.
 */
export function belongsTo(row: DicomJson, reach: Reach, config: Lookup): boolean {
  const { grant } = reach;
  if (grant.studies && !grant.studies.includes(text(row, Tag.StudyInstanceUID) ?? '')) return false;
  if (reach.by === 'server') return true;
  const named =
    reach.by === 'mrn'
      ? reach.keys.some(({ value }) => value === shownIdentifier(row, Tag.PatientID))
      : reach.numbers.includes(shownIdentifier(row, Tag.AccessionNumber));
  if (!named) return false;
  const issuer = shownIdentifier(row, Tag.IssuerOfPatientID);
  if (config.issuer !== undefined && config.issuer !== issuer) return false;
  return !config.matchBirthDate || !contradicts(text(row, Tag.PatientBirthDate), grant.identity?.birthDate);
}

/** Whether a DICOM date and a FHIR date, both present, cannot be of the same day; FHIR's may be a year or a month. */
export function contradicts(dicomDate: string | undefined, fhirDate: string | undefined): boolean {
  const dicom = (dicomDate ?? '').replace(/\D/g, '');
  const fhir = (fhirDate ?? '').slice(0, 10).replace(/\D/g, '');
  return dicom.length === 8 && fhir.length >= 4 && !dicom.startsWith(fhir);
}

/**
 * Whether a granular scope covers a study (SM-5). Constraints on modality and identifier can be judged from a study's
 * row; any other covers nothing, so that what cannot be established is not served.
 */
export function coveredBy(study: DicomJson, coverage: Coverage): boolean {
  return (
    coverage.constraints === undefined ||
    coverage.constraints.some((pairs) => pairs.every(([name, value]) => meets(study, name, value)))
  );
}

function meets(study: DicomJson, name: string, value: string): boolean {
  const wanted = value.split(',').map((token) => token.slice(token.lastIndexOf('|') + 1));
  if (name === 'modality') return texts(study, Tag.ModalitiesInStudy).some((code) => wanted.includes(code));
  if (name !== 'identifier') return false;
  const own = [text(study, Tag.StudyInstanceUID), text(study, Tag.AccessionNumber)];
  return wanted.some((token) => own.includes(token.replace(/^urn:oid:/, '')));
}
