import { CONTENT_VERSION, versionOf } from '../../../schema/fhir/conditional-read.ts';
import type { Resource } from 'fhir/r4.js';
import type { ClinicalSource, HistoryPage, HistorySearch, ReadOptions, ResourceName } from './source.ts';

/** Versions of one resource: vread and history (R4 §3.1.0.3, §3.1.0.4). A source without versions has the current one. */

/** Returns one version of a resource; undefined when there is none. */
export async function readVersion(
  source: ClinicalSource,
  named: ResourceName,
  versionId: string,
  caller: ReadOptions,
): Promise<Resource | undefined> {
  if (source.version && (await declares(source, named, 'vread'))) {
    const found = await source.version(named, versionId, caller.signal);
    if (found || !CONTENT_VERSION.test(versionId)) return found;
  }
  const [current] = await source.read(named.type, [named.id], caller);
  return current && versionOf(current) === versionId ? current : undefined;
}

/** Returns one page of the versions of a resource, newest first. */
export async function readHistory(
  source: ClinicalSource,
  named: ResourceName,
  search: HistorySearch,
  caller: ReadOptions,
): Promise<HistoryPage> {
  if (source.history && (await declares(source, named, 'history-instance'))) {
    return source.history(named, search, caller.signal);
  }
  const since = Date.parse(search.since ?? '');
  // A resource without a time of its last change may have changed since then.
  const isRecent = ({ meta }: Resource) => !(Date.parse(meta?.lastUpdated ?? '') < since);
  const current = await source.read(named.type, [named.id], caller);
  return { versions: current.filter(isRecent).map((resource) => ({ resource })) };
}

/** Returns true when the source declares an interaction; without declarations it has what it implements. */
async function declares(
  source: ClinicalSource,
  { type }: ResourceName,
  interaction: string,
): Promise<boolean> {
  if (!source.capabilities) return true;
  return (await source.capabilities())?.get(type)?.interactions.has(interaction) ?? false;
}
