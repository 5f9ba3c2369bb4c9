import type { Endpoint, ImagingStudy } from 'fhir/r4.js';
import { CompactEncrypt } from 'jose';
import { randomUUID } from 'node:crypto';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../schema/fhir/fhir.ts';
import { LARGEST_BYTES } from '../state/redis.ts';

/** The answer to a request that was made with the owner's token. */
export interface OwnAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | number | undefined>>;
  body: string;
}

export interface ContentOptions {
  /** Asks for a path below the FHIR base with the owner's token, as if the owner had asked: with scopes, withholding and audit. */
  ask(path: string): Promise<OwnAnswer>;
  patient: string;
  /** Study Instance UIDs. */
  studies: readonly string[];
  /** `Type/id`. */
  resources: readonly string[];
  /** Public base of the tenant. */
  base: string;
  /** The DICOMweb base by which the receiver gets the images. */
  address: string;
  /** The page that shows a link to people. */
  page: string;
  /** RFC 3339. */
  time: string;
}

export interface Content {
  /** FHIR Bundles as JSON: a snapshot of the record, and one of each study. */
  bundles: readonly string[];
  studies: readonly string[];
  resources: readonly string[];
  /** Items that the token may not read because of its scopes. */
  notIncluded: readonly string[];
}

/** Reads at the same time. */
const AT_ONCE = 4;
/** Bytes of plain text up to which receivers open what is compressed (`jose` by default). */
const MOST_COMPRESSED = 250_000;

/**
 * Reads what a link gives, as its owner may read it (IA-36).
 * @throws Fault `forbidden` for what does not exist for the owner, the same whatever the reason (IA-7); `unavailable` for what
 *   cannot be read in full now
 */
export async function readContent(options: ContentOptions): Promise<Content> {
  const { patient, studies, resources, base } = options;
  const turns = new Semaphore(AT_ONCE);
  const read = async (path: string): Promise<string | undefined> => {
    const release = await turns.acquire();
    try {
      return readable(await options.ask(path));
    } finally {
      release();
    }
  };
  const all = [`Patient/${patient}`, ...resources, ...studies.map((uid) => `ImagingStudy/${uid}`)];
  const texts = new Map(await Promise.all(all.map(async (path) => [path, await read(path)] as const)));
  const has = (path: string) => texts.get(path) !== undefined;
  const given = {
    resources: resources.filter(has),
    studies: studies.filter((uid) => has(`ImagingStudy/${uid}`)),
  };
  if (given.resources.length + given.studies.length === 0)
    throw new Fault('insufficient_scope', 'The token may read nothing of what was to be shared.');
  const entries = [`Patient/${patient}`, ...given.resources]
    .filter(has)
    .map((path) => entryOf(texts.get(path)!, `${base}/fhir/${path}`));
  const snapshot = collectionOf([...entries, entryOf(JSON.stringify(pageEndpoint(options.page)))], options);
  const manifests = given.studies.map((uid) => studyBundle(uid, texts.get(`ImagingStudy/${uid}`)!, options));
  return {
    bundles: [snapshot, ...(await Promise.all(manifests))],
    ...given,
    notIncluded: all.filter((path) => !has(path)),
  };
}

/** Returns the JSON of a resource; undefined if the scopes of the token do not cover it. */
function readable({ status, headers, body }: OwnAnswer): string | undefined {
  const isFhir = String(headers['content-type'] ?? '').startsWith(FHIR_JSON);
  // With a warning, an archive has not answered: what is shared would lack something for good.
  if (status === 200 && isFhir && headers['warning'] === undefined) return body;
  if (String(headers['www-authenticate'] ?? '').includes('insufficient_scope')) return undefined;
  if ([403, 404, 410].includes(status)) {
    const message = 'The token does not give access to all that was to be shared. Nothing was shared.';
    throw new Fault('forbidden', message);
  }
  if (status === 501) return undefined;
  throw new Fault('unavailable', 'What was to be shared cannot be read in full now; try again.', {
    retryAfter: Number(headers['retry-after']) || 5,
  });
}

/**
 * Returns the Bundle of a study: its manifest for exchange (MADO), or else the ImagingStudy with its Endpoint, where the tenant
 * has not said which organization it is (501).
 * @param study JSON of the ImagingStudy
 */
async function studyBundle(uid: string, study: string, options: ContentOptions): Promise<string> {
  const manifest = await options.ask(`ImagingStudy/${uid}/$mado`);
  const made = readable(manifest);
  const whole = readdressed(made ?? (await collectionOfStudy(uid, study, options)), options.address);
  if (whole.length <= MOST_CHARACTERS) return whole;
  // The receiver gets the instances of a very large study by its address.
  const short = JSON.stringify(withoutInstances(JSON.parse(study) as ImagingStudy));
  return readdressed(await collectionOfStudy(uid, short, options), options.address);
}

async function collectionOfStudy(uid: string, text: string, options: ContentOptions): Promise<string> {
  const { contained = [], endpoint = [], series, ...study } = JSON.parse(text) as ImagingStudy;
  const named = endpoint[0]?.reference ?? '';
  // A study that cannot be retrieved has none.
  const own = named.startsWith('Endpoint/') ? readable(await options.ask(named)) : undefined;
  const found = own === undefined ? contained.find(isWado) : (JSON.parse(own) as Endpoint);
  const fullUrl = `urn:uuid:${randomUUID()}`;
  const others = contained.filter((one) => !isWado(one));
  const shared = {
    ...study,
    ...(others.length > 0 && { contained: others }),
    ...(found && { endpoint: [{ reference: fullUrl, type: 'Endpoint' }] }),
    ...(series && { series: series.map(({ endpoint: _endpoint, ...one }) => one) }),
  };
  const { id: _id, ...addressed } = found ?? {};
  const entries = [entryOf(JSON.stringify(shared), `${options.base}/fhir/ImagingStudy/${uid}`)];
  if (found) entries.push(entryOf(JSON.stringify(addressed), fullUrl));
  return collectionOf(entries, options);
}

const withoutInstances = ({ series = [], ...study }: ImagingStudy): ImagingStudy => ({
  ...study,
  series: series.map(({ instance: _instance, ...one }) => one),
});

/** Characters of a Bundle that is kept: encrypted, it has a third more. */
const MOST_CHARACTERS = Math.floor((LARGEST_BYTES * 3) / 4) - 4096;

const WADO_RS = 'dicom-wado-rs';
const isWado = (value: unknown): value is Endpoint => {
  const { resourceType, connectionType } = (value ?? {}) as Partial<Endpoint>;
  return resourceType === 'Endpoint' && connectionType?.code === WADO_RS;
};

/** Replaces the addresses of images by those of the link, which need no token. */
function readdressed(text: string, address: string): string {
  return JSON.stringify(
    JSON.parse(text, (_name, value: unknown) => {
      if (!isWado(value)) return value;
      const [, below = ''] =
        /\/(?:dicomweb|wado\/[^/]+)(\/studies\/[\d./a-z]+)?\/?$/.exec(value.address) ?? [];
      const extension = value.extension?.map((one) =>
        one.valueBoolean === undefined ? one : { ...one, valueBoolean: false },
      );
      return { ...value, address: `${address}${below}`, ...(extension && { extension }) };
    }),
  );
}

/** Returns the Endpoint of our own page, to which receivers may send people (SMART Health Links). */
const pageEndpoint = (address: string): Endpoint => ({
  resourceType: 'Endpoint',
  status: 'active',
  connectionType: { system: 'https://smarthealthit.org', code: 'shl-interactive-experience' },
  payloadType: [{ text: 'A page that shows the images' }],
  address,
});

/** @param resource JSON, which is kept as it was written: decimals have a precision */
const entryOf = (resource: string, fullUrl?: string): string =>
  `{${fullUrl === undefined ? '' : `"fullUrl":${JSON.stringify(fullUrl)},`}"resource":${resource}}`;

const collectionOf = (entries: readonly string[], { time }: ContentOptions): string =>
  `{"resourceType":"Bundle","type":"collection","timestamp":"${time}","entry":[${entries.join(',')}]}`;

/**
 * Encrypts a file for the receiver (SMART Health Links, "Encrypting and decrypting files").
 * @throws Fault `too_large`
 */
export async function encrypted(text: string, key: Uint8Array): Promise<string> {
  if (text.length > MOST_CHARACTERS) throw tooMuch();
  const bytes = Buffer.from(text);
  const header = { alg: 'dir', enc: 'A256GCM', cty: FHIR_JSON };
  const file = new CompactEncrypt(bytes).setProtectedHeader(
    bytes.length < MOST_COMPRESSED ? { ...header, zip: 'DEF' } : header,
  );
  const jwe = await file.encrypt(key);
  if (jwe.length > LARGEST_BYTES) throw tooMuch();
  return jwe;
}

const tooMuch = () => new Fault('too_large', 'This is too much for one link: share less at a time.');
