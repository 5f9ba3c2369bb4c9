import type { PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Tag, text, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Coverage } from '../../../schema/access/scopes.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import type { EvaluatePath } from './mrn-paths.ts';

/** Whose a study is: pure decisions over facts that the source gave, made anew for every request (IA-29, DW-21). */

type Lookup = Pick<ImagesConfig, 'lookup' | 'mrn' | 'issuer' | 'matchBirthDate'>;

/** One PatientID of a patient, as a source is asked for it. */
export interface PatientKey {
  value: string;
  issuer?: string;
}

/**
 * What one grant reaches in one image source, by the way that the source finds a patient (DW-19): every study, those of
 * PatientIDs, or those of accession numbers. Empty lists reach nothing.
 */
export type Reach = { grant: PatientGrant } & (
  | { by: 'server' }
  | { by: 'mrn'; keys: readonly PatientKey[] }
  | { by: 'accession'; numbers: readonly string[] }
);

/** Wildcards and list separators of DICOM matching: such a value would match others than its owner's (DW-21). */
const MATCHES_OTHERS = /[*?,\\\p{Cc}]/u;

/** A PatientID or accession number without its padding, which is not significant (PS3.5 §6.2, LO and SH). */
export function unpadded(value: string | undefined): string {
  const text = value ?? '';
  return PADDED.test(text) ? text.replace(/^[ \0]+|[ \0]+$/g, '') : text;
}

const PADDED = /^[ \0]|[ \0]$/;

/**
 * The identifier that a row shows, as a whole: one with a backslash in it comes as several values, and is none of them.
 * Empty where it shows none.
 */
export function shownIdentifier(row: DicomJson, tag: string): string {
  const values = row[tag]?.Value;
  if (!values || values.length === 0) return '';
  // Empty ones among several are part of it as well.
  return unpadded(
    values.length === 1 ? String(values[0] ?? '') : values.map((value) => String(value ?? '')).join('\\'),
  );
}

/** Values that can be asked for exactly, each once. */
export function askable(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== '' && !MATCHES_OTHERS.test(value));
}

/** Medical record numbers by identity, and by the expressions that gave them; they go with the identity. */
const recordNumbers = new WeakMap<PatientIdentity, WeakMap<readonly string[], readonly string[]>>();

/**
 * The patient's medical record numbers: the values of the first expression that yields any (DW-19), worked out once for an
 * identity. Empty ones and ones that cannot be asked for exactly are left out, so the list may be empty; it then means no
 * studies.
 * @throws Fault `internal` for an expression that cannot be evaluated; what `evaluate` throws as a Fault
 */
export async function medicalRecordNumbers(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<readonly string[]> {
  const known = recordNumbers.get(identity) ?? new WeakMap<readonly string[], readonly string[]>();
  const numbers = known.get(expressions) ?? (await evaluated(identity, expressions, evaluate));
  recordNumbers.set(identity, known.set(expressions, numbers));
  return numbers;
}

async function evaluated(
  identity: PatientIdentity,
  expressions: readonly string[],
  evaluate: EvaluatePath,
): Promise<readonly string[]> {
  const patient = {
    resourceType: 'Patient',
    id: identity.id,
    identifier: identity.identifier,
    ...(identity.birthDate !== undefined && { birthDate: identity.birthDate }),
  };
  for (const expression of expressions) {
    let values: readonly unknown[];
    try {
      values = await evaluate(expression, patient);
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault('internal', "The tenant's images.mrn holds an expression that cannot be evaluated.", {
        cause,
      });
    }
    const numbers = values.filter((value) => typeof value === 'string').map(unpadded);
    if (numbers.some(Boolean)) return askable(numbers);
  }
  return [];
}

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
