import DataLoader from 'dataloader';
import { Fault } from '../../../schema/fault/fault.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical, StudiesOfObjects } from '../record/clinical.ts';

/** Faults of images that the caller may not search: then a UID of an image leads to no study. */
const NOT_SHOWN: readonly string[] = ['insufficient_scope', 'forbidden', 'not_found'];

interface Asked {
  patientId: string;
  uids: readonly string[];
}

const loaders = new RequestValues<Clinical, DataLoader<Asked, readonly string[]>>();

/**
 * Returns the Study Instance UIDs of the patient's studies that have one of these UIDs: their own, of a series or of an
 * instance. Questions about all resources of a request become one (FG-6).
 */
export async function studiesOfObjects(clinical: Clinical, asked: Asked): Promise<readonly string[]> {
  if (asked.uids.length === 0) return [];
  let loader = loaders.get(clinical);
  if (!loader) {
    loader = new DataLoader((all) => answers(clinical.studiesOfObjects, all), { cache: false });
    loaders.set(clinical, loader);
  }
  return loader.load(asked);
}

async function answers(
  ask: StudiesOfObjects | undefined,
  all: readonly Asked[],
): Promise<readonly (readonly string[])[]> {
  // Without images to ask, a UID can only be that of a study.
  if (!ask) return all.map(({ uids }) => uids);
  const wanted = new Map<string, Set<string>>();
  for (const { patientId, uids } of all) {
    wanted.set(patientId, new Set([...(wanted.get(patientId) ?? []), ...uids]));
  }
  const found = await ask(wanted).catch((error: unknown) => {
    if (error instanceof Fault && NOT_SHOWN.includes(error.code)) return new Map<string, never>();
    throw error;
  });
  return all.map(({ patientId, uids }) => {
    const studies: ReadonlyMap<string, string> | undefined = found.get(patientId);
    return [...new Set(uids.flatMap((uid) => studies?.get(uid) ?? []))];
  });
}
