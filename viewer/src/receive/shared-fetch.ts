import type { Shared } from './shared-files.ts';

/**
 * Returns a `fetch` that answers questions to the record from what a link gave, as its server would answer them. What the link
 * does not have is not known here: it is never said that there is none. Everything else is fetched, such as images.
 */
export function sharedFetch({ fhirBase, entries }: Shared): typeof globalThis.fetch {
  const answer = (body: object, status = 200) =>
    Promise.resolve(Response.json(body, { status, headers: { 'content-type': 'application/fhir+json' } }));
  return (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (!url.startsWith(`${fhirBase}/`)) return globalThis.fetch(input, init);
    const [type = '', id] = url
      .slice(fhirBase.length + 1)
      .replace(/\?.*$/, '')
      .split('/');
    const of = (wanted: string) => entries.filter(({ resource }) => resource.resourceType === wanted);
    const found = of(type).filter(({ resource }) => id === undefined || resource.id === id);
    if (found.length === 0) return answer({ resourceType: 'OperationOutcome', issue: [] }, 404);
    if (id !== undefined) return answer(found[0]!.resource);
    const included = type === 'ImagingStudy' ? of('Endpoint') : [];
    const entry = [
      ...found.map((one) => ({ ...one, search: { mode: 'match' } })),
      ...included.map((one) => ({ ...one, search: { mode: 'include' } })),
    ];
    return answer({ resourceType: 'Bundle', type: 'searchset', entry });
  };
}
