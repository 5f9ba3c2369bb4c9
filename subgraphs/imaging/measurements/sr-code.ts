import type { CodeableConcept } from 'fhir/r4.js';
import { codeOf, type Code } from '../../../schema/dicom/code.ts';
import { items, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { string } from '../dicom/dicom-text.ts';

/** Codes of structured reports (PS3.3 §8) and their code systems in FHIR. */

export interface SrCode extends Code {
  /** URI of the code system; undefined for a private scheme without a UID. */
  system: string | undefined;
}

/** System URIs of coding schemes, by designator (PS3.16 §8; FHIR R4 §4.3). */
const SYSTEMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '99SDM': 'http://snomed.info/srt',
    CPT: 'http://www.ama-assn.org/go/cpt',
    DCM: 'http://dicom.nema.org/resources/ontology/DCM',
    FMA: 'http://sig.biostr.washington.edu/projects/fm/AboutFM.html',
    I10: 'http://hl7.org/fhir/sid/icd-10',
    LN: 'http://loinc.org',
    NCIt: 'http://ncit.nci.nih.gov',
    RADLEX: 'http://www.radlex.org',
    SCT: 'http://snomed.info/sct',
    SNM3: 'http://snomed.info/srt',
    SRT: 'http://snomed.info/srt',
    UCUM: 'http://unitsofmeasure.org',
    UMLS: 'http://terminology.hl7.org/CodeSystem/umls',
  }),
);

/** Returns the system URI of a coding scheme; undefined for an unknown one. */
export const codeSystem = (designator: string): string | undefined => SYSTEMS.get(designator);

/** System URIs of the private schemes of one report, by designator. */
export type PrivateSchemes = ReadonlyMap<string, string>;

/** Reads the coding schemes that a report identifies by UID or URL (Coding Scheme Identification Sequence). */
export function privateSchemes(report: DicomJson): PrivateSchemes {
  const named = items(report, '00080110').flatMap((item) => {
    const designator = string(item, '00080102');
    const uid = string(item, '0008010C');
    const url =
      string(item, '0008010E') ?? (uid && /^[0-9.]{1,64}$/.test(uid) ? `urn:oid:${uid}` : undefined);
    return designator && url ? [[designator, url] as const] : [];
  });
  return new Map(named);
}

/** Reads the first code of a code sequence, with its code system; undefined if it has neither a code nor a meaning. */
export function srCodeOf(dataset: DicomJson, sequence: string, schemes: PrivateSchemes): SrCode | undefined {
  const code = codeOf(dataset, sequence);
  if (!code) return undefined;
  const { scheme } = code;
  const system = scheme === undefined ? undefined : (codeSystem(scheme) ?? schemes.get(scheme));
  return { ...code, system };
}

/** Converts a code to FHIR. The code of an unknown system is only text. */
export function conceptOf({ value, system, meaning, scheme }: SrCode): CodeableConcept {
  if (value !== undefined && system !== undefined)
    return { coding: [{ system, code: value, display: meaning }], text: meaning };
  return { text: value === undefined ? meaning : describeCode({ value, meaning, scheme }) };
}

/** Describes a code for people: `Diameter (1234, 99LOCAL)`. */
export function describeCode({ value, scheme, meaning }: Code): string {
  const code = [value, scheme].filter((part) => part !== undefined).join(', ');
  return code === '' ? meaning : `${meaning} (${code})`;
}
