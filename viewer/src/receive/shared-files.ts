import { Trouble } from '../data/trouble.ts';
import { damaged, type Transport } from '../data/transport.ts';
import { base64Bytes } from '../domain/documents/inline-bytes.ts';
import type { HealthLink } from './health-link.ts';

/** An entry of the Bundles that a link gives. */
export interface SharedEntry {
  fullUrl?: string;
  resource: { resourceType: string; id?: string };
}

/** The content of a link. */
export interface Shared {
  /** Of the record that it is from, without a slash at the end. */
  fhirBase: string;
  /** Logical id. */
  patient: string;
  entries: readonly SharedEntry[];
}

interface ManifestFile {
  contentType?: string;
  embedded?: string;
  location?: string;
}

/** Characters of a file that comes with the manifest; a longer one comes by an address of its own. */
const EMBEDDED = 100_000;
const accept = 'application/json';

/**
 * Opens a link, which takes one of its uses.
 * @throws Trouble `signed-out` for a wrong passcode, `not-found` for a link that has ended
 */
export async function openLink(
  link: HealthLink,
  opening: { recipient: string; passcode?: string },
  transport: Transport,
): Promise<Shared> {
  const body = JSON.stringify({ ...opening, embeddedLengthMax: EMBEDDED });
  const headers = { 'content-type': 'application/json' };
  const manifest = (await transport.json(link.url, { method: 'POST', accept, headers, body })) as {
    files?: ManifestFile[];
  } | null;
  const key = await crypto.subtle.importKey('raw', base64Bytes(link.key), 'AES-GCM', false, ['decrypt']);
  const files = (manifest?.files ?? []).filter((one) => one.contentType?.startsWith('application/fhir+json'));
  const texts = await Promise.all(
    files.map(async ({ embedded, location = '' }) => {
      if (embedded !== undefined) return embedded;
      if (!location.startsWith(`${link.url}/`)) throw damaged(link.url, 'leads to another server');
      const { bytes } = await transport.send(location, { accept: 'application/jose' });
      return new TextDecoder().decode(bytes);
    }),
  );
  const bundles = await Promise.all(
    texts.map(async (text) => {
      try {
        return JSON.parse(await decrypted(text, key)) as { entry?: SharedEntry[] };
      } catch {
        // Without the cause: it may quote what it could not read.
        throw damaged(link.url, 'has a file that cannot be opened');
      }
    }),
  );
  const entries = bundles.flatMap(({ entry = [] }) => entry.filter(({ resource }) => resource));
  const patient = entries.find(({ resource }) => resource.resourceType === 'Patient')?.resource.id;
  if (patient === undefined) throw new Trouble('damaged', 'the link names no patient');
  return { fhirBase: link.url.replace(/\/shl\/[^/]*$/, '/fhir'), patient, entries };
}

/** Decrypts a file: JWE in compact form, `dir` with `A256GCM` (RFC 7516 §7.1), with or without compression. */
export async function decrypted(jwe: string, key: CryptoKey): Promise<string> {
  const [head = '', , iv = '', text = '', tag = ''] = jwe.trim().split('.');
  const { alg, enc, zip } = JSON.parse(new TextDecoder().decode(base64Bytes(head))) as Record<
    string,
    unknown
  >;
  if (alg !== 'dir' || enc !== 'A256GCM') throw new Error('another encryption');
  const additionalData = new TextEncoder().encode(head);
  const how = { name: 'AES-GCM', iv: base64Bytes(iv), additionalData, tagLength: 128 };
  const sealed = new Blob([base64Bytes(text), base64Bytes(tag)]);
  const plain = await crypto.subtle.decrypt(how, key, await sealed.arrayBuffer());
  const stream = new Blob([plain]).stream();
  const unpacked = zip === 'DEF' ? stream.pipeThrough(new DecompressionStream('deflate-raw')) : stream;
  return new Response(unpacked).text();
}
