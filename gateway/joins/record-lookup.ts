import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../schema/fault/fault.ts';
import type { RecordLookup } from '../identity/merged-records.ts';
import { patientRecord } from '../identity/patient-record.ts';

/** The reads that are needed of the clinical record. */
export interface ClinicalRecord {
  read(type: string, id: string): Promise<Resource>;
  search(
    type: string,
    search: {
      params: readonly (readonly [string, string])[];
      count: number;
      cursor?: string;
      strict?: boolean;
    },
  ): Promise<{ resources: readonly Resource[]; next?: string }>;
}

/** Records of one search for numbers; more are a partial answer. */
const MOST_RECORDS = 100;

/** Escapes a text for a token of a search with a backslash (R4 §3.1.1.5). */
export const escaped = (text: string) => text.replace(/[\\,|$]/g, '\\$&');

/**
 * Looks up patients in a clinical record.
 * @param open opens the record with an Access to all patients
 */
export function recordLookup(open: () => ClinicalRecord): RecordLookup {
  return {
    async read(id) {
      try {
        return patientRecord({ ...(await open().read('Patient', id)) }, id);
      } catch (error) {
        if (error instanceof Fault && error.code === 'not_found') return undefined;
        throw error;
      }
    },
    async holders(values) {
      const params = [['identifier', values.map(escaped).join(',')]] as const;
      const { resources, next } = await open().search('Patient', { params, count: MOST_RECORDS });
      if (next !== undefined) return undefined;
      return resources.flatMap((one) => patientRecord({ ...one }, one.id ?? '') ?? []);
    },
  };
}
