import DataLoader from 'dataloader';
import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical } from '../record/clinical.ts';
import { LIST_LIMIT } from '../record/limits.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { IN_ENCOUNTER } from './link-table.ts';
import { referencesAt } from './named-studies.ts';
import { ifGiven, ofPatient } from './patient-resources.ts';

/** An encounter, and whose it is. */
interface Visit {
  id: string;
  patientId: string;
}

type Loader = DataLoader<Visit, readonly Resource[], string>;

const loaders = new RequestValues<Clinical, Map<string, Loader>>();
const turns = new RequestValues<Clinical, LoopTurns>();

/**
 * Returns the resources that name an encounter, of the types of `IN_ENCOUNTER` that the caller may search. Calls for many
 * encounters become one search for each type (FG-6).
 * @throws Fault like the searches
 */
export async function membersOf(clinical: Clinical, visit: Visit): Promise<Resource[]> {
  const lists = Object.keys(IN_ENCOUNTER).map((type) => loaderOf(clinical, type).load(visit));
  const members = (await Promise.all(lists)).flat();
  let waiting = turns.get(clinical);
  if (!waiting) turns.set(clinical, (waiting = new LoopTurns()));
  // One encounter a turn: each of its members is looked at.
  await waiting.next();
  return members;
}

function loaderOf(clinical: Clinical, type: string): Loader {
  let ofRequest = loaders.get(clinical);
  if (!ofRequest) loaders.set(clinical, (ofRequest = new Map()));
  let loader = ofRequest.get(type);
  if (!loader) {
    loader = new DataLoader((visits) => membersByVisit(clinical, type, visits), {
      cacheKeyFn: ({ id }) => id,
    });
    ofRequest.set(type, loader);
  }
  return loader;
}

async function membersByVisit(
  clinical: Clinical,
  type: string,
  visits: readonly Visit[],
): Promise<Resource[][]> {
  const found = (await byEncounter(clinical, type, visits)) ?? (await byPatient(clinical, type, visits));
  const members = new Map<string, Resource[]>(visits.map(({ id }) => [id, []]));
  for (const resource of found) {
    for (const { reference } of referencesAt(resource, IN_ENCOUNTER[type]!)) {
      const target = await clinical.target(reference);
      if (target?.type === 'Encounter') members.get(target.id)?.push(resource);
    }
  }
  return visits.map(({ id }) => members.get(id)!);
}

/** Returns undefined where the record cannot search by encounter, or finds too many. */
async function byEncounter(
  clinical: Clinical,
  type: string,
  visits: readonly Visit[],
): Promise<Resource[] | undefined> {
  const source = await clinical.backend();
  if (!source.supports(type, 'encounter')) return undefined;
  const names = visits.map(({ id }) => `Encounter/${id}`);
  const pages = chunksByLength(names, source.local ? Number.MAX_SAFE_INTEGER : MAX_IDS_LENGTH).map(
    async (chunk) => {
      const count = Math.min(LIST_LIMIT * chunk.length, MAX_GATHERED);
      const page = await clinical.search(type, {
        params: [['encounter', chunk.join(',')]],
        count,
        strict: true,
      });
      if (page.next !== undefined)
        throw new Fault('too_large', `Too many ${type} resources name an encounter.`);
      return [...page.resources];
    },
  );
  try {
    return await ifGiven(Promise.all(pages).then((lists) => lists.flat()));
  } catch (error) {
    if (error instanceof Fault && ['too_large', 'unsupported_parameter'].includes(error.code))
      return undefined;
    throw error;
  }
}

async function byPatient(clinical: Clinical, type: string, visits: readonly Visit[]): Promise<Resource[]> {
  const patients = [...new Set(visits.map(({ patientId }) => patientId))];
  const lists = await Promise.all(
    patients.map((patientId) => ifGiven(ofPatient(clinical, { type, patientId }))),
  );
  return lists.flat();
}
