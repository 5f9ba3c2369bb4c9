import fhirpath from 'fhirpath';
import type { PatientGrant, PatientIdentity } from '../../schema/access.ts';
import { Tag, text, texts, type DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import type { Coverage } from '../../schema/scopes.ts';
import type { ImagesConfig } from '../../schema/tenant.ts';

/** Whose a study is: pure decisions over facts that the source gave, made anew for every request (IA-29, DW-21). */

type Lookup = Pick<ImagesConfig, 'lookup' | 'mrn' | 'issuer' | 'matchBirthDate'>;

/** One PatientID of a patient, as a source is asked for it. */
export interface PatientKey {
  value: string;
  issuer?: string;
}

/** What one grant reaches in one image source: the keys to ask for; undefined where every study belongs (DW-19). */
export interface Reach {
  grant: PatientGrant;
  keys?: readonly PatientKey[];
}

/** Wildcards and list separators of DICOM matching: such a PatientID would match others than its owner (DW-21). */
const MATCHES_OTHERS = /[*?,\\\p{Cc}]/u;

/** PatientID without its padding, which is not significant (PS3.5 §6.2, LO). */
export function unpadded(patientId: string | undefined): string {
  return (patientId ?? '').replace(/^[ \0]+|[ \0]+$/g, '');
}

/**
 * The patient's medical record numbers: the values of the first expression that yields any (DW-19).
 * Empty ones and ones that cannot be asked for exactly are left out, so the list may be empty; it then means no studies.
 * @throws Fault `internal` for an expression that is not FHIRPath
 */
export function medicalRecordNumbers(identity: PatientIdentity, expressions: readonly string[]): string[] {
  const patient = {
    resourceType: 'Patient',
    id: identity.id,
    identifier: identity.identifier,
    ...(identity.birthDate !== undefined && { birthDate: identity.birthDate }),
  };
  for (const expression of expressions) {
    let values: unknown[];
    try {
      values = fhirpath.evaluate(patient, expression) as unknown[];
    } catch (cause) {
      throw new Fault('internal', "The tenant's images.mrn holds an expression that cannot be evaluated.", {
        cause,
      });
    }
    const numbers = values.filter((value) => typeof value === 'string').map(unpadded);
    const useful = [...new Set(numbers.filter(Boolean))];
    if (useful.length > 0) return useful.filter((value) => !MATCHES_OTHERS.test(value));
  }
  return [];
}

/**
 * What the grant reaches in a source.
 * @throws Fault `bad_gateway` where the EHR did not say who the patient is: refused, not guessed (IA-9)
 * @throws Fault `not_implemented` for lookup by accession number
 */
export function reachOf(grant: PatientGrant, config: Lookup): Reach {
  if (config.lookup === 'all-studies-on-server') return { grant };
  if (config.lookup === 'studies-by-accession') {
    throw new Fault('not_implemented', 'Finding studies by accession number is not available here.', {
      service: 'imaging',
    });
  }
  if (!grant.identity) {
    throw new Fault('bad_gateway', 'The clinical server did not say who the patient is; try again later.', {
      service: 'clinical',
    });
  }
  const keys = medicalRecordNumbers(grant.identity, config.mrn).map((value) => ({
    value,
    ...(config.issuer !== undefined && { issuer: config.issuer }),
  }));
  return { grant, keys };
}

/**
 * Whether a row of any level is of a study that the grant reaches: its PatientID is one of the patient's to the letter,
 * the issuer agrees where one is configured, the birth date does not contradict (DW-21), and the study is among those
 * the grant is limited to (IA-8).
 */
export function belongsTo(row: DicomJson, reach: Reach, config: Lookup): boolean {
  const { grant, keys } = reach;
  if (grant.studies && !grant.studies.includes(text(row, Tag.StudyInstanceUID) ?? '')) return false;
  if (!keys) return true;
  const patientId = unpadded(text(row, Tag.PatientID));
  const issuer = unpadded(text(row, Tag.IssuerOfPatientID));
  if (!keys.some((key) => key.value === patientId && (key.issuer === undefined || key.issuer === issuer))) {
    return false;
  }
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
