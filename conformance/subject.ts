import { addressOf, studiesOf, uidOf, uidsOf } from './bundle.ts';
import type { Answer, Ask, Client, PartsAnswer } from './client.ts';
import { allOf, DICOM_JSON, rowsOf, TAG, valueOf } from './dicom-json.ts';
import { objectOf, objectsOf, type Json } from './json.ts';
import type { Options } from './options.ts';
import { Blocked, NotApplicable } from './outcome.ts';

/** Media type of FHIR in JSON. */
export const FHIR = 'application/fhir+json';
const MAX_PAGES = 50;
/** A UID that no study has: made from a random UUID (PS3.5 §B.2). */
export const ABSENT_UID = '2.25.319205320072390562079353491248151513778';

/** A study, or an object of it. */
export interface Place {
  /** WADO-RS base, without a slash at the end. */
  base: string;
  study: string;
  /** `{base}/studies/{study}`, with series and instance for an object. */
  url: string;
}

/** An object with pixels. */
export interface Image extends Place {
  series: string;
  instance: string;
  seriesUrl: string;
  metadata: Json;
}

/** The server under test as one check sees it: its requests are noted, and the facts that checks share are read. */
export class Subject {
  readonly options: Options;
  /** Method and URL of each request so far. */
  readonly requested: string[] = [];
  readonly #client: Client;

  constructor(options: Options, client: Client) {
    this.options = options;
    this.#client = client;
  }

  /** Sends a request, with the credentials of the user unless `ask` names others. */
  get(url: string, ask: Ask = {}): Promise<Answer> {
    this.#note(url, ask);
    return this.#client.send(url, ask);
  }

  /** Sends a request whose answer may be long: only the beginnings of its parts are kept. */
  getParts(url: string, accept: string): Promise<PartsAnswer> {
    this.#note(url, { accept });
    return this.#client.sendForParts(url, { accept });
  }

  #note(url: string, { method = 'GET', form, accept, credentials = 'given' }: Ask): void {
    const notes = [
      ...(form === undefined ? [] : [`form ${form}`]),
      ...(accept === undefined ? [] : [`Accept: ${accept}`]),
      ...(credentials === 'given' ? [] : [credentials === 'none' ? 'no token' : 'another token']),
    ];
    const line = [`${method} ${url}`, ...notes].join(', ');
    if (!this.requested.includes(line)) this.requested.push(line);
  }

  /** Returns an address below the FHIR base. @throws Blocked if there is none */
  fhir(path: string): string {
    if (this.options.base === undefined) throw new Blocked('give --base URL');
    return `${this.options.base}/${path}`;
  }

  /** Reads the SMART configuration without a token. */
  readConfiguration(): Promise<Answer> {
    const url = this.fhir('.well-known/smart-configuration');
    return this.get(url, { accept: 'application/json', credentials: 'none' });
  }

  /** Returns the SMART configuration. @throws Blocked if there is none */
  async configuration(): Promise<Json> {
    return objectOf(await this.readConfiguration(), 'the SMART configuration');
  }

  /** Reads the CapabilityStatement without a token. */
  readCapabilities(): Promise<Answer> {
    return this.get(this.fhir('metadata'), { accept: FHIR, credentials: 'none' });
  }

  /** Searches ImagingStudy. @param query parameters; by default the patient's studies with their Endpoints */
  search(query = this.patientQuery('_include=ImagingStudy:endpoint'), ask: Ask = {}): Promise<Answer> {
    return this.get(this.fhir(`ImagingStudy${query && `?${query}`}`), { accept: FHIR, ...ask });
  }

  /** Returns a query for the patient with further parameters. */
  patientQuery(...parameters: string[]): string {
    return [`patient=${encodeURIComponent(this.options.patient ?? '')}`, ...parameters].join('&');
  }

  /** Returns the first page of the patient's studies and their Endpoints. @throws Blocked if it has no study */
  async bundle(): Promise<Json> {
    const bundle = objectOf(await this.search(), 'the search by patient');
    if (studiesOf(bundle).length === 0) throw new Blocked('the search by patient finds no study');
    return bundle;
  }

  /** Returns the UIDs of all studies that the search by patient finds. */
  async grantedUids(): Promise<Set<string>> {
    const uids = new Set<string>();
    let bundle = await this.bundle();
    for (let page = 1; page <= MAX_PAGES; page++) {
      for (const uid of uidsOf(bundle)) uids.add(uid);
      const next = objectsOf(bundle['link']).find(({ relation }) => relation === 'next')?.['url'];
      if (typeof next !== 'string') return uids;
      bundle = objectOf(await this.get(next, { accept: FHIR }), 'the next page of the search');
    }
    throw new Blocked(`the search by patient has more than ${MAX_PAGES} pages`);
  }

  /** Returns a study that can be retrieved: the one that the user names, otherwise a small one of several objects. */
  async study(): Promise<Place> {
    const { dicomweb, study, base, patient } = this.options;
    if (dicomweb !== undefined && study !== undefined) return placeOf(dicomweb, study);
    if (base !== undefined && patient !== undefined) {
      const byFhir = this.#studyByFhir();
      const found = dicomweb === undefined ? await byFhir : await ifAny(byFhir);
      if (found) return found;
    }
    if (dicomweb === undefined) throw new Blocked('no Endpoint leads to images');
    return this.#studyByQido(dicomweb);
  }

  async #studyByFhir(): Promise<Place> {
    const bundle = await this.bundle();
    const found = studiesOf(bundle).flatMap((study) => {
      const base = this.options.dicomweb ?? addressOf(study, bundle);
      const uid = uidOf(study);
      if (base === undefined || uid !== (this.options.study ?? uid)) return [];
      const modalities = objectsOf(study['modality']).map(({ code }) => code);
      return [{ base, uid, modalities, count: Number(study['numberOfInstances'] ?? Infinity) }];
    });
    const chosen = smallest(found);
    if (!chosen) throw new Blocked('no study of the search has an Endpoint with an address');
    this.#client.trust(chosen.base);
    return placeOf(chosen.base, chosen.uid);
  }

  async #studyByQido(base: string): Promise<Place> {
    const url = `${base}/studies?includefield=${TAG.numberOfInstances}&includefield=${TAG.modalities}&limit=100`;
    const rows = rowsOf(await this.get(url, { accept: DICOM_JSON }));
    const chosen = smallest(
      rows.map((row) => ({
        uid: String(valueOf(row, TAG.study)),
        modalities: allOf(row, TAG.modalities),
        count: Number(valueOf(row, TAG.numberOfInstances) ?? Infinity),
      })),
    );
    if (!chosen) throw new Blocked('the search for studies (QIDO-RS) finds none');
    return placeOf(base, chosen.uid);
  }

  /**
   * Returns the study as `study` does, if its base can be searched.
   * @throws NotApplicable if only an Endpoint names the base, which promises retrieval alone, and searches are refused
   */
  async searchable(): Promise<Place> {
    const place = await this.study();
    if (this.options.dicomweb !== undefined) return place;
    const url = `${place.base}/studies?StudyInstanceUID=${place.study}`;
    const { status } = await this.get(url, { accept: DICOM_JSON });
    if ([403, 404, 405, 501].includes(status))
      throw new NotApplicable(`the Endpoint offers no search (${status}); give --dicomweb URL`);
    return place;
  }

  /** Returns the metadata of the study's objects. @throws Blocked if there are none */
  async metadata(): Promise<Json[]> {
    const { url } = await this.study();
    const objects = rowsOf(await this.get(`${url}/metadata`, { accept: DICOM_JSON }));
    if (objects.length === 0) throw new Blocked('the metadata of the study name no object');
    return objects;
  }

  /** Returns an object of the study that has pixels. @throws NotApplicable if there is none */
  async image(): Promise<Image> {
    const place = await this.study();
    const metadata = (await this.metadata()).find((object) => valueOf(object, TAG.rows) !== undefined);
    if (!metadata) throw new NotApplicable('the study has no image; name another with --study');
    const [series, instance] = [TAG.series, TAG.sopInstance].map((tag) => String(valueOf(metadata, tag)));
    const seriesUrl = `${place.url}/series/${series}`;
    const url = `${seriesUrl}/instances/${instance}`;
    return { ...place, series: series!, instance: instance!, seriesUrl, url, metadata };
  }
}

/** Returns undefined where a fact is missing that a check can do without. */
export async function ifAny<T>(fact: Promise<T>): Promise<T | undefined> {
  try {
    return await fact;
  } catch (error) {
    if (error instanceof Blocked || error instanceof NotApplicable) return undefined;
    throw error;
  }
}

const placeOf = (base: string, study: string): Place => ({ base, study, url: `${base}/studies/${study}` });

/** Modalities of objects without pixels. */
const WITHOUT_PIXELS = new Set<unknown>(['SR', 'DOC', 'ECG', 'EPS', 'HD', 'AU', 'PR', 'KO', 'PLAN', 'REG']);

/** Returns the study with the fewest objects; if there is one, a study of images only and of several objects. */
function smallest<S extends { count: number; modalities: readonly unknown[] }>(
  studies: readonly S[],
): S | undefined {
  const sorted = [...studies].sort((a, b) => a.count - b.count);
  const images = sorted.filter(
    ({ modalities }) => modalities.length > 0 && !modalities.some((one) => WITHOUT_PIXELS.has(one)),
  );
  return [...images, ...sorted].find(({ count }) => count > 1) ?? images[0] ?? sorted[0];
}
