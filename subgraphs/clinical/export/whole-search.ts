import { hash } from 'node:crypto';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { Clinical } from '../record/clinical.ts';
import type { SearchParams } from '../search/search-params.ts';

/** Searches to their end, page by page, also for more patients than fit into one search. */

/** Resources on one page of a search. A thread of a store holds them in 48 MB, also large ones. */
const PAGE = 500;
/** Patients in one search of a store; a server gets as many as fit into a URL. */
const PATIENTS_TOGETHER = 2_000;

/** Opens the record anew for each page, because a record keeps what it has found. */
export type OpenRecord = (access: Access) => Clinical;

/** Returns the access, in parts whose patients fit into one search. */
export async function accessInParts(access: Access, open: OpenRecord): Promise<Access[]> {
  const { patients } = access;
  if (patients === 'all') return [access];
  const { local } = await open(access).backend();
  const ids = patients.map(({ id }) => `Patient/${id}`);
  const lengths = local
    ? Array.from({ length: Math.ceil(ids.length / PATIENTS_TOGETHER) }, () => PATIENTS_TOGETHER)
    : chunksByLength(ids, MAX_IDS_LENGTH).map(({ length }) => length);
  let start = 0;
  return lengths.map((length) => {
    const part = patients.slice(start, start + length);
    start += length;
    return { ...access, patients: part };
  });
}

/** Gives the pages of a search. @throws Fault like `Clinical.search`; `bad_gateway` for pages in a circle */
export async function* searchPages(
  open: () => Clinical,
  { type, params }: { type: string; params: SearchParams },
  signal: AbortSignal,
): AsyncGenerator<{ clinical: Clinical; texts: readonly string[] }> {
  const followed = new Set<string>();
  for (let cursor: string | undefined; ;) {
    signal.throwIfAborted();
    const clinical = open();
    const page = { params, count: PAGE, strict: true, cursor };
    const { texts, next } = await clinical.unrecorded.searchTexts(type, page);
    yield { clinical, texts };
    if (next === undefined) return;
    if (followed.has(next)) throw new Fault('bad_gateway', 'the pages of the record lead in a circle.');
    followed.add(next);
    cursor = next;
  }
}

/** Gives all resources of a type that a search by the token finds, each once. @throws Fault like `searchPages` */
export async function* searchedTexts(
  open: OpenRecord,
  { access, type, signal }: { access: Access; type: string; signal: AbortSignal },
): AsyncGenerator<readonly string[]> {
  const parts = await accessInParts(access, open);
  const seen = parts.length > 1 ? new Set<string>() : undefined;
  const isNew = (text: string): boolean => {
    const { size } = seen!;
    return seen!.add(hash('sha1', text, 'base64url')).size > size;
  };
  for (const part of parts)
    for await (const { texts } of searchPages(() => open(part), { type, params: [] }, signal))
      yield seen ? texts.filter(isNew) : texts;
}
