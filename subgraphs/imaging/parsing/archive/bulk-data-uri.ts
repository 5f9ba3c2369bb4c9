/**
 * Converts addresses of bulk data (PS3.18 §10.4.1.1.2) between those of a server and those of the gateway, which are
 * relative to the instance's URL: `bulkdata/…`. They are looked up below that instance only, so that no address leads
 * to another host or beyond the grant (IA-23).
 */

/** One segment or more. No percent sign, so that later decoding does not change the path. */
const PLAIN = /^[\w\-.,=&~+:?]+(?:\/[\w\-.,=&~+:?]+)*$/;

function isPlain(path: string): boolean {
  return PLAIN.test(path) && !path.split('/').some((segment) => /^\.+$/.test(segment));
}

/** Path of bulk data below an instance: Orthanc uses `bulk/{tag}`, other servers `bulkdata/…`. */
const FOLDER = /^bulk(data)?\//;

/**
 * Converts a server's BulkDataURI to the gateway's.
 * @param uri absolute, or relative to the instance
 * @param instancePath `/studies/{}/series/{}/instances/{}/`
 * @returns `bulkdata/…`; undefined for an address that is not bulk data of the instance
 */
export function relativeBulkData(uri: string, instancePath: string): string | undefined {
  const at = uri.indexOf(instancePath);
  const below = at >= 0 ? uri.slice(at + instancePath.length) : uri;
  if (!isPlain(below) || !FOLDER.test(below)) return undefined;
  const path = below.startsWith('bulkdata/') ? below : `bulkdata/${below}`;
  return path.replaceAll('?', '%3F');
}

/**
 * Returns paths at which a server may have these bulk data, relative to the instance.
 * @param path `bulkdata/…`, decoded; anything else has no candidates
 */
export function bulkDataCandidates(path: string): string[] {
  const name = path.startsWith('bulkdata/') ? path.slice('bulkdata/'.length) : '';
  if (!isPlain(name)) return [];
  if (name.startsWith('bulk/')) return [name];
  return [`bulkdata/${name}`, ...(/^[\dA-F/]+$/i.test(name) ? [`bulk/${name}`] : [])];
}
