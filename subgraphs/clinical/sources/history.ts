import type { BundleEntry, Resource } from 'fhir/r4.js';
import type { ClinicalSource } from './source.ts';

/** Versions of one resource: vread and history (R4 §3.1.0.3, §3.1.0.4). */

/** Which versions are wanted. */
export interface HistorySearch {
  /** Versions on a page. */
  count: number;
  /** Continues after a page of the same history. */
  cursor?: string;
  /** Only versions since this FHIR instant. */
  since?: string;
}

/** One version; a deletion has no resource. `request` and `response` are those of the source, if it states them. */
export type Version = Pick<BundleEntry, 'request' | 'response'> & { resource?: Resource };

export interface HistoryPage {
  /** Newest first. */
  versions: Version[];
  /** Opaque; continues this history. */
  next?: string;
}

/** Returns true when a source declares an interaction with a type; without declarations it has what it implements. */
async function declares(source: ClinicalSource, type: string, interaction: string): Promise<boolean> {
  if (!source.capabilities) return true;
  return (await source.capabilities())?.get(type)?.interactions.has(interaction) ?? false;
}

/** Returns one version of a resource, undefined when there is none. A source without versions has only the current one. */
export async function versionOf(
  source: ClinicalSource,
  { type, id }: { type: string; id: string },
  versionId: string,
  signal?: AbortSignal,
): Promise<Resource | undefined> {
  if (source.version && (await declares(source, type, 'vread'))) {
    return source.version(type, id, versionId, signal);
  }
  const [current] = await source.read(type, [id], signal);
  return current?.meta?.versionId === versionId ? current : undefined;
}

/** Returns a page of the versions of a resource. A source without versions has only the current one. */
export async function historyOf(
  source: ClinicalSource,
  { type, id }: { type: string; id: string },
  search: HistorySearch,
  signal?: AbortSignal,
): Promise<HistoryPage> {
  if (source.history && (await declares(source, type, 'history-instance'))) {
    return source.history(type, id, search, signal);
  }
  const current = await source.read(type, [id], signal);
  const since = Date.parse(search.since ?? '');
  // A resource without a time of its last change may have changed since then.
  const isRecent = ({ meta }: Resource) => !(Date.parse(meta?.lastUpdated ?? '') < since);
  return { versions: current.filter(isRecent).map((resource) => ({ resource })) };
}
