/** A record of many patients with the same number of Observations each, whose ids say what they are. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { LONG } from './long.ts';

export const PATIENTS = LONG ? 2_000 : 60;
/** Observations of a patient: `p7-0` to `p7-99` for the patient `p7`. */
export const OBSERVATIONS = 100;
/** Number of codes: the Observation `p7-12` has the code `c2`. */
export const CODES = 5;

/** Writes the record as NDJSON. */
export function writeRecord(path: string): void {
  const file = openSync(path, 'w');
  for (let patient = 0; patient < PATIENTS; patient++) {
    const lines = Array.from({ length: OBSERVATIONS }, (_, at) => observation(`p${patient}`, at));
    const gender = patient % 4 === 0 ? 'male' : 'female';
    lines.unshift(JSON.stringify({ resourceType: 'Patient', id: `p${patient}`, gender }));
    writeSync(file, `${lines.join('\n')}\n`);
  }
  closeSync(file);
}

/** Every second one is a vital sign; the last one of a patient refers to an Encounter that does not exist. */
function observation(patient: string, at: number): string {
  const code = `c${at % CODES}`;
  const resource = {
    resourceType: 'Observation',
    id: `${patient}-${at}`,
    status: 'final',
    subject: { reference: `Patient/${patient}` },
    category: [at % 2 === 0 ? { coding: [{ system: CATEGORY, code: 'vital-signs' }] } : { text: 'other' }],
    code: { text: `=code, ${at % CODES}`, coding: [{ system: 'urn:codes', code, display: `Code ${code}` }] },
    ...(at === OBSERVATIONS - 1 && { encounter: { reference: 'Encounter/nowhere' } }),
    valueQuantity: { value: 'VALUE', unit: 'mg' },
  };
  return JSON.stringify(resource).replace('"VALUE"', '1.10');
}

const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category';
