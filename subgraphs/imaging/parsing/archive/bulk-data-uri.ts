/**
 * Addresses of bulk data (PS3.18 §10.4.1.1.2), between a server's own and ours, which are relative to the instance's
 * URL: `bulkdata/…`. Whatever a client asks for is looked up below that instance only, so that no address leads to
 * another host or beyond the grant (IA-23).
 */

/** One segment or more; no percent sign, so that nothing is decoded into something else further on. */
const PLAIN = /^[\w\-.,=&~+:?]+(?:\/[\w\-.,=&~+:?]+)*$/;

function isPlain(path: string): boolean {
  return PLAIN.test(path) && !path.split('/').some((segment) => /^\.+$/.test(segment));
}

/** Where servers keep bulk data below an instance: Orthanc says `bulk/{tag}`, others `bulkdata/…`. */
const FOLDER = /^bulk(data)?\//;

/**
 * A server's BulkDataURI as we give it out.
 * @param uri absolute, or relative to the instance
 * @param instancePath `/studies/{}/series/{}/instances/{}/`
 * @returns `bulkdata/…`; undefined for an address that is not the instance's own bulk data
 */
export function relativeBulkData(uri: string, instancePath: string): string | undefined {
  const at = uri.indexOf(instancePath);
  const below = at >= 0 ? uri.slice(at + instancePath.length) : uri;
  if (!isPlain(below) || !FOLDER.test(below)) return undefined;
  const path = below.startsWith('bulkdata/') ? below : `bulkdata/${below}`;
  return path.replaceAll('?', '%3F');
}

/**
 * Where a server may have what we call by this path, relative to the instance.
 * @param path `bulkdata/…`, decoded; anything else has no candidates
 */
export function bulkDataCandidates(path: string): string[] {
  const name = path.startsWith('bulkdata/') ? path.slice('bulkdata/'.length) : '';
  if (!isPlain(name)) return [];
  if (name.startsWith('bulk/')) return [name];
  return [`bulkdata/${name}`, ...(/^[\dA-F/]+$/i.test(name) ? [`bulk/${name}`] : [])];
}
