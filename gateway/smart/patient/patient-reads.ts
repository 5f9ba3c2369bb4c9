import DataLoader from 'dataloader';
import { Fault } from '../../../schema/fault/fault.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Answer, UpstreamDeps } from '../token/upstream.ts';
import { call } from '../token/upstream.ts';
import { patientRecord, type PatientRecord } from '../../identity/patient-record.ts';

/** `absent`: the EHR has no such patient. `refused`: its answer is not the patient. */
export type PatientRead = PatientRecord | 'absent' | 'refused';

/** The caller in whose name an EHR is asked for patients. */
export interface Asker {
  outside: UpstreamDeps;
  tenant: Tenant;
  fhirBaseUrl: string;
  token: () => Promise<string>;
  /** Returns another token, for when the EHR refuses the first. */
  renewed?: (() => Promise<string>) | undefined;
}

/** Patients that a search did not return, and that are then read one by one to learn why. */
const MOST_SINGLE_READS = 10;
/** Searches at a time for the patients of one token. */
const MOST_AT_ONCE = 4;

/**
 * Returns a function that reads one patient. Patients that are asked for at the same time by the same asker are searched
 * together: a policy of thousands of patients is some searches, not a read for each.
 * @throws Fault of the returned function: see `call`
 */
export function patientReads(): (key: string, asker: Asker, id: string) => Promise<PatientRead> {
  const waiting = new Map<string, DataLoader<string, PatientRead>>();
  return (key, asker, id) => {
    let reader = waiting.get(key);
    if (!reader) {
      reader = new DataLoader(
        (ids) => {
          waiting.delete(key);
          return readAll(asker, ids);
        },
        { cache: false },
      );
      waiting.set(key, reader);
    }
    return reader.load(id);
  };
}

async function readAll(asker: Asker, ids: readonly string[]): Promise<(PatientRead | Error)[]> {
  const found = new Map<string, PatientRead | Error>();
  const chunks = ids.length === 1 ? [[...ids]] : chunksByLength([...new Set(ids)], MAX_IDS_LENGTH);
  const work = async (): Promise<void> => {
    for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) await readChunk(asker, chunk, found);
  };
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, work));
  return ids.map((id) => found.get(id)!);
}

/** Reads some patients into `found`. It never throws: each patient gets the error of its read. */
async function readChunk(
  asker: Asker,
  ids: readonly string[],
  found: Map<string, PatientRead | Error>,
): Promise<void> {
  try {
    const isSearched = ids.length > 1 && (await searchInto(asker, ids, found));
    const left = ids.filter((id) => !found.has(id));
    if (isSearched && left.length > MOST_SINGLE_READS) return left.forEach((id) => found.set(id, 'refused'));
    await Promise.all(left.map(async (id) => found.set(id, await readOne(asker, id))));
  } catch (error) {
    for (const id of ids) if (!found.has(id)) found.set(id, error as Error);
  }
}

/** @returns false when the EHR has no such search */
async function searchInto(
  asker: Asker,
  ids: readonly string[],
  found: Map<string, PatientRead | Error>,
): Promise<boolean> {
  for (let left = ids; left.length > 0;) {
    const path = `Patient?_id=${left.join(',')}&_count=${left.length}`;
    const { status, json } = await get(asker, path);
    if (status !== 200 || json['resourceType'] !== 'Bundle') return false;
    for (const id of left) {
      const identity = resourcesIn(json)
        .map((resource) => patientRecord(resource, id))
        .find((one) => one !== undefined);
      if (identity) found.set(id, identity);
    }
    const rest = left.filter((id) => !found.has(id));
    // An EHR may have smaller pages: it is asked again for the rest.
    if (rest.length === left.length) return true;
    left = rest;
  }
  return true;
}

/** Reads one patient. @throws Fault see `call` */
export async function readOne(asker: Asker, id: string): Promise<PatientRead> {
  const { status, json } = await get(asker, `Patient/${id}`);
  if (status === 404 || status === 410) return 'absent';
  return (status === 200 && patientRecord(json, id)) || 'refused';
}

/** Gets a path of an EHR. An HTML page instead of a resource is no patient. */
export async function get(asker: Asker, path: string): Promise<Answer> {
  const { outside, tenant, fhirBaseUrl, token, renewed } = asker;
  const getWith = (bearer: string): Promise<Answer> =>
    call(outside, tenant, `${fhirBaseUrl}/${path}`, { headers: { authorization: `Bearer ${bearer}` } }).catch(
      (error: unknown) => {
        if (error instanceof Fault && error.code === 'bad_gateway') return { status: 200, json: {} };
        throw error;
      },
    );
  const answer = await getWith(await token());
  return answer.status === 401 && renewed ? getWith(await renewed()) : answer;
}

/** Returns the resources in a Bundle. */
export function resourcesIn(bundle: Record<string, unknown>): Record<string, unknown>[] {
  const entries: unknown[] = Array.isArray(bundle['entry']) ? bundle['entry'] : [];
  return entries
    .map((entry) => (entry as { resource?: unknown } | null)?.resource)
    .filter(
      (resource): resource is Record<string, unknown> => typeof resource === 'object' && resource !== null,
    );
}
