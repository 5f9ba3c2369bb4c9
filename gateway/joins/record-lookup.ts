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

/** Resources of a page; a record with more pages for one question is refused. */
const PAGE = 1000;
const MOST_PAGES = 20;

/**
 * Reads all pages of a search.
 * @param refusal message for a record that has too many
 * @throws Fault `too_large`
 */
export async function allPages(
  search: (page: { count: number; cursor?: string }) => ReturnType<ClinicalRecord['search']>,
  refusal: string,
): Promise<Resource[]> {
  const found: Resource[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await search({ count: PAGE, cursor });
    found.push(...page.resources);
    cursor = page.next;
    if (cursor === undefined) return found;
  }
  throw new Fault('too_large', refusal, { service: 'clinical' });
}

/** Returns what is read; undefined for a resource that does not exist. */
export async function ifFound<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'not_found') return undefined;
    throw error;
  });
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
      const patient = await ifFound(open().read('Patient', id));
      return patient && patientRecord({ ...patient }, id);
    },
    async holders(values) {
      const params = [['identifier', values.map(escaped).join(',')]] as const;
      const { resources, next } = await open().search('Patient', { params, count: MOST_RECORDS });
      if (next !== undefined) return undefined;
      return resources.flatMap((one) => patientRecord({ ...one }, one.id ?? '') ?? []);
    },
  };
}
