import { objectsOf, type Json } from './json.ts';

/** An entry of a searchset Bundle. */
export interface Entry {
  fullUrl: unknown;
  mode: unknown;
  resource: Json;
}

/** Returns the entries of a Bundle that have a resource. */
export function entriesOf(bundle: Json): Entry[] {
  return objectsOf(bundle['entry']).flatMap(({ fullUrl, search, resource }) =>
    objectsOf([resource]).map((one) => ({ fullUrl, mode: objectsOf([search])[0]?.['mode'], resource: one })),
  );
}

/** Returns the ImagingStudy resources of a Bundle. */
export const studiesOf = (bundle: Json): Json[] =>
  entriesOf(bundle).flatMap(({ resource }) =>
    resource['resourceType'] === 'ImagingStudy' ? [resource] : [],
  );

/** Returns the sorted Study Instance UIDs of a Bundle. */
export const uidsOf = (bundle: Json): string[] => studiesOf(bundle).map(uidOf).sort();

/** Returns the Study Instance UID of an ImagingStudy: that of its identifier, otherwise its id. */
export function uidOf(study: Json): string {
  const named = objectsOf(study['identifier']).find(({ system }) => system === 'urn:dicom:uid')?.['value'];
  return String(named ?? study['id'] ?? '').replace(/^urn:oid:/, '');
}

/** Returns the patient of an ImagingStudy, such as `Patient/1`. */
export const subjectOf = (study: Json): string =>
  String(objectsOf([study['subject']])[0]?.['reference'] ?? 'no subject');

/** Returns the references of a study to its Endpoints, and of its series to theirs. */
export function endpointReferences(study: Json): string[] {
  const series = objectsOf(study['series']).flatMap(({ endpoint }) => objectsOf(endpoint));
  return [...objectsOf(study['endpoint']), ...series].map(({ reference }) => String(reference));
}

/** Returns the Endpoint of a reference: contained in the study, or an entry of the Bundle. */
export function endpointOf(reference: string, study: Json, bundle: Json): Json | undefined {
  if (reference.startsWith('#'))
    return objectsOf(study['contained']).find(({ id }) => `#${String(id)}` === reference);
  return entriesOf(bundle).find(
    ({ fullUrl, resource: { resourceType, id } }) =>
      resourceType === 'Endpoint' &&
      (fullUrl === reference || `/${reference}`.endsWith(`/Endpoint/${String(id)}`)),
  )?.resource;
}

/** Returns the address of the first Endpoint of a study that has one, without a slash at the end. */
export function addressOf(study: Json, bundle: Json): string | undefined {
  const addresses = endpointReferences(study).map(
    (reference) => endpointOf(reference, study, bundle)?.['address'],
  );
  const found = addresses.find((one): one is string => typeof one === 'string' && URL.canParse(one));
  return found?.replace(/\/+$/, '');
}
