import type { Bundle, Resource } from 'fhir/r4.js';
import { unreadable } from './fhir-server-fault.ts';
import type { HistoryPage, HistorySearch, ResourceName } from './source.ts';

/** vread and history at a FHIR server (R4 §3.1.0.3, §3.1.0.4). */

/** Functions of the server's client that these requests use. */
export interface ServerCalls {
  /** Reads a path below the base; undefined for 404 and 410. */
  get(path: string): Promise<Resource | undefined>;
  /** Converts a link to a cursor; undefined for a link to another server. */
  cursorOf(link: string): string | undefined;
}

/** Returns a version of a resource; undefined when the server does not have it. */
export async function serverVersion(
  { get }: ServerCalls,
  { type, id }: ResourceName,
  versionId: string,
): Promise<Resource | undefined> {
  const resource = await get(`/${type}/${encodeURIComponent(id)}/_history/${encodeURIComponent(versionId)}`);
  // A server that ignores the end of the path would answer with the current version.
  const isAsked =
    resource?.resourceType === type && resource.id === id && resource.meta?.versionId === versionId;
  return isAsked ? resource : undefined;
}

/**
 * Returns a page of the versions of a resource.
 * @param path of the page that a cursor leads to; undefined: the first page
 * @throws Fault `bad_gateway` for an answer that is not a history of this resource
 */
export async function serverHistory(
  { get, cursorOf }: ServerCalls,
  { type, id, path }: ResourceName & { path: string | undefined },
  { count, since }: HistorySearch,
): Promise<HistoryPage> {
  const query = new URLSearchParams({ _count: String(count) });
  if (since !== undefined) query.set('_since', since);
  const first = `/${type}/${encodeURIComponent(id)}/_history?${query.toString()}`;
  const bundle = (await get(path ?? first)) as Bundle | undefined;
  if (bundle === undefined) return { versions: [] };
  if (bundle.resourceType !== 'Bundle') throw unreadable('the history was not answered with a Bundle');
  const link = bundle.link?.find(({ relation }) => relation === 'next')?.url;
  const next = link === undefined ? undefined : cursorOf(link);
  if (link !== undefined && next === undefined) {
    throw unreadable('its next page is said to be at another server');
  }
  const versions = (bundle.entry ?? []).flatMap(({ resource, request, response }) => {
    const isOther = resource && (resource.resourceType !== type || resource.id !== id);
    if (isOther || (!resource && request?.method !== 'DELETE')) return [];
    return [
      {
        ...(resource && { resource: resource as Resource }),
        ...(request && { request }),
        ...(response && { response }),
      },
    ];
  });
  return { versions, next };
}
