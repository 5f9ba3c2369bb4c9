/** ImagingStudy resources of a FHIR server with their Endpoints: where their images are (IA-14, IA-17, IA-18, IA-35). */
import type { ImageLocation, Study } from '../../domain/study.ts';
import {
  present,
  type FhirReference,
  type FhirSeries,
  type FhirStudy,
  type List,
  type Maybe,
} from '../fhir/shapes.ts';
import { studyOf } from '../fhir/studies.ts';
import { Trouble } from '../trouble.ts';
import { read, search, type BundleEntry, type Asking, type Resource } from './search.ts';

interface RestEndpoint extends Resource {
  status?: Maybe<string>;
  address?: Maybe<string>;
  connectionType?: Maybe<{ code?: Maybe<string> }>;
  extension?: List<{ url?: Maybe<string>; valueBoolean?: Maybe<boolean> }>;
}

type RestSeries = FhirSeries & { endpoint?: List<FhirReference> };

export interface RestStudy extends FhirStudy, Resource {
  status?: Maybe<string>;
  id?: Maybe<string>;
  basedOn?: List<FhirReference>;
  endpoint?: List<FhirReference>;
  contained?: List<Resource>;
  series?: List<RestSeries>;
  subject?: Maybe<FhirReference>;
}

export interface RestStudies {
  /** Each with its resource, which reports are joined by. */
  studies: { study: Study; resource: RestStudy }[];
  incomplete: string | undefined;
}

/** @throws Trouble; the reason of the signal */
export async function studiesOf(imaging: Asking, patientId: string): Promise<RestStudies> {
  const parameters = { patient: patientId, _include: 'ImagingStudy:endpoint' };
  const found = await search<RestStudy>(imaging, 'ImagingStudy', parameters);
  const endpoints = new Endpoints(imaging, found.included);
  const studies = await Promise.all(found.matches.map((resource) => withLocations(resource, endpoints)));
  return { studies: studies.flat(), incomplete: found.incomplete };
}

async function withLocations(resource: RestStudy, endpoints: Endpoints) {
  const series = present(resource.series);
  const own = await endpoints.locationOf(resource.endpoint, resource);
  const places = await Promise.all(series.map((one) => endpoints.locationOf(one.endpoint, resource)));
  const study = studyOf(resource, { study: own, series: (one) => places[series.indexOf(one)] });
  return study ? [{ study, resource }] : [];
}

/** The Endpoints that studies name: contained, in the Bundle, or read one by one. */
class Endpoints {
  readonly #imaging: Asking;
  readonly #included: readonly BundleEntry<Resource>[];
  readonly #read = new Map<string, Promise<RestEndpoint | undefined>>();

  constructor(imaging: Asking, included: readonly BundleEntry<Resource>[]) {
    this.#imaging = imaging;
    this.#included = included.filter(({ resource }) => resource?.resourceType === 'Endpoint');
  }

  /** Returns where the first of the Endpoints that is a DICOMweb server has the images. */
  async locationOf(references: List<FhirReference>, study: RestStudy): Promise<ImageLocation | undefined> {
    for (const { reference } of present(references)) {
      const endpoint = reference ? await this.#resolved(reference, study) : undefined;
      if (!endpoint?.address || !isDicomweb(endpoint)) continue;
      const dicomweb = endpoint.address.replace(/\/+$/, '');
      // The address of an Endpoint without need for a token may be a secret of its own, and the token no business of it.
      if (needsToken(endpoint)) this.#imaging.transport.trust(dicomweb);
      return { dicomweb };
    }
    return undefined;
  }

  async #resolved(reference: string, study: RestStudy): Promise<RestEndpoint | undefined> {
    if (reference.startsWith('#'))
      return present(study.contained).find(({ id }) => id === reference.slice(1));
    const id = /(?:^|\/)Endpoint\/([^/]+)$/.exec(reference)?.[1];
    const inBundle = this.#included.find(
      ({ fullUrl, resource }) => fullUrl === reference || (id !== undefined && resource?.id === id),
    );
    if (inBundle) return inBundle.resource!;
    const isHere = reference === `Endpoint/${id}` || reference === `${this.#imaging.base}/Endpoint/${id}`;
    if (!isHere) return undefined;
    if (!this.#read.has(id!)) this.#read.set(id!, this.#readOne(id!));
    return this.#read.get(id!);
  }

  async #readOne(id: string): Promise<RestEndpoint | undefined> {
    try {
      return await read<RestEndpoint>(this.#imaging, 'Endpoint', id);
    } catch (error) {
      if (error instanceof Trouble && !error.passes) return undefined;
      throw error;
    }
  }
}

function isDicomweb({ connectionType, status }: RestEndpoint): boolean {
  return connectionType?.code === 'dicom-wado-rs' && status !== 'off' && status !== 'entered-in-error';
}

function needsToken({ extension }: RestEndpoint): boolean {
  const said = present(extension).find(({ url }) =>
    url?.endsWith('/StructureDefinition/requires-access-token'),
  );
  return said?.valueBoolean !== false;
}
