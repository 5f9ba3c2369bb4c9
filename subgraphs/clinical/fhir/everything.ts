import type { Bundle, Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import { grantFor } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { foreignCursor, patientOutOfReach } from '../../../schema/fault/refusals.ts';
import { decodeCursor, encodeCursor } from '../../../schema/fhir/paging.ts';
import {
  readSearchRequest,
  unsupported,
  type Parameters,
  type ResultRules,
} from '../../../schema/fhir/search-request.ts';
import { outcomeEntry, searchset, type SearchEntry } from '../../../schema/fhir/searchset.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import { PAGE_LIMIT } from '../record/limits.ts';
import {
  FILTER_PARAMETERS,
  mayBeIn,
  readDataFilter,
  sectionsOf,
  wantedTypes,
  type DataFilter,
  type Section,
} from '../record/patient-data.ts';
import type { PatientImages } from '../record/patient-images.ts';
import { SharedResources } from '../record/shared-resources.ts';

/** `Patient/{id}/$everything` (R4 Patient-everything). */

const RESULTS: ResultRules = {
  summaries: ['false'],
  defaultCount: PAGE_LIMIT,
  maxCount: PAGE_LIMIT,
  more: { _cursor: () => true },
};

/** Searches that run at the same time. */
const AT_ONCE = 6;
/** Shared resources that are read together. */
const READ_TOGETHER = 100;
/** The key of the images in a cursor. */
const IMAGES = 'ImagingStudy.0';

export interface EverythingOptions {
  tenant: Tenant;
  /** Returns the record for the caller's Access. */
  open(access: Access): Clinical;
  images: PatientImages;
  /** Absolute base of FHIR REST. */
  base: string;
}

interface Asked {
  filter: DataFilter;
  count: number;
  cursor: string | undefined;
  applied: Parameters;
  /** Parameters that were ignored. */
  ignored: readonly Fault[];
}

function readAsked(parameters: Parameters, strict: boolean): Asked {
  const { criteria, results } = readSearchRequest(parameters, strict, RESULTS);
  const known = criteria.filter(([name]) => (FILTER_PARAMETERS as readonly string[]).includes(name));
  const others = criteria.filter((parameter) => !known.includes(parameter));
  if (strict && others.length > 0) throw unsupported(others[0]![0]);
  const { cursor } = results;
  const count = Math.max(1, results.count);
  return {
    filter: readDataFilter(known),
    ...{ count, cursor },
    applied: [
      ...known,
      ['_count', String(count)],
      ...(cursor === undefined ? [] : [['_cursor', cursor] as const]),
    ],
    ignored: others.map(([name]) => unsupported(/^[\w:.-]{1,64}$/.test(name) ? name : 'of this name')),
  };
}

/** A part of an answer, and the place after it. */
interface Part {
  resources: Resource[];
  next?: string;
  failed: Fault[];
}

/**
 * Returns one page of a patient's data: the Patient, what is in its compartment, its images, and the resources of shared
 * types that the page refers to. A type that the source refuses is named in an OperationOutcome.
 * @param patientId logical id of a patient, who may be out of reach
 * @throws Fault `forbidden` for a patient out of reach, `insufficient_scope`, and the faults of a source that does not answer
 */
export async function everything(
  patientId: string,
  parameters: Parameters,
  strict: boolean,
  { access, ...options }: EverythingOptions & { access: Access },
): Promise<Bundle> {
  const asked = readAsked(parameters, strict);
  const grant = grantFor(access, patientId);
  if (!grant) throw patientOutOfReach();
  // Everything below sees this patient alone, whoever else the token reaches.
  const narrowed: Access = { ...access, patients: [grant] };
  const types = wantedTypes(narrowed, asked.filter.types);
  const clinical = options.open(narrowed);
  const patient = await clinical.read('Patient', patientId);
  const searched = types.searched.filter((type) => type !== 'Patient');
  const sections = sectionsOf(await clinical.backend(), searched, asked.filter);
  const place = readPlace(asked.cursor, sections, types.imaging.size > 0);
  const withPatient = asked.cursor === undefined && isWanted(patient, asked.filter);
  const found = await inSections(clinical, sections, place, asked.count - (withPatient ? 1 : 0));
  const images: Part & { endpoint?: Resource } =
    found.next !== undefined || types.imaging.size === 0
      ? { resources: [], failed: [] }
      : await imagesPart(options, narrowed, patientId, {
          ...{ types: types.imaging, filter: asked.filter },
          offset: place.key === IMAGES ? Number(place.cursor ?? 0) : 0,
          count: asked.count - found.resources.length - (withPatient ? 1 : 0),
        });
  const matches = [...(withPatient ? [patient] : []), ...found.resources, ...images.resources];
  const shared = await sharedBy([patient, ...matches], new SharedResources(types.shared), clinical);
  const next = found.next ?? images.next;
  const failed = [...asked.ignored, ...found.failed, ...images.failed];
  const included = shared.filter((resource) => isWanted(resource, asked.filter));
  return bundleOf(`${options.base}/Patient/${patientId}/$everything`, options.base, {
    ...{ matches, failed, next, asked },
    included: images.endpoint ? [...included, images.endpoint] : included,
  });
}

function isWanted({ resourceType, meta }: Resource, { types, since }: DataFilter): boolean {
  return (types?.includes(resourceType) ?? true) && (since === undefined || mayBeIn(meta?.lastUpdated, since));
}

interface Place {
  key: string;
  cursor?: string;
}

function readPlace(cursor: string | undefined, sections: readonly Section[], images: boolean): Place {
  if (cursor === undefined) return { key: sections[0]?.key ?? IMAGES };
  const text = decodeCursor(cursor, /^[A-Za-z]{1,40}\.\d(:.*)?$/s);
  const [, key = '', place] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  const isImages = key === IMAGES && images && /^\d{0,9}$/.test(place ?? '');
  if (!isImages && !sections.some((section) => section.key === key)) throw foreignCursor();
  return { key, ...(place !== undefined && { cursor: place }) };
}

const placeAt = (key: string, cursor?: string): string =>
  encodeCursor(cursor === undefined ? key : `${key}:${cursor}`);

/** Searches section by section from a place on, until there are `count` resources. */
async function inSections(
  clinical: Clinical,
  sections: readonly Section[],
  from: Place,
  count: number,
): Promise<Part> {
  const resources: Resource[] = [];
  const failed: Fault[] = [];
  const first = from.key === IMAGES ? sections.length : sections.findIndex(({ key }) => key === from.key);
  for (let start = first; start < sections.length; start += AT_ONCE) {
    const together = sections.slice(start, start + AT_ONCE);
    const wanted = count - resources.length;
    if (wanted <= 0) return { resources, failed, next: placeAt(together[0]!.key) };
    const pages = await Promise.all(
      together.map((one, index) => page(clinical, one, wanted, start + index === first ? from.cursor : undefined)),
    );
    for (const [index, section] of together.entries()) {
      const left = count - resources.length;
      if (left === 0) return { resources, failed, next: placeAt(section.key) };
      let found = pages[index]!;
      // Only the source can say where the rest begins.
      if (found.resources.length > left) found = await page(clinical, section, left, undefined);
      resources.push(...found.resources);
      failed.push(...found.failed);
      if (found.next !== undefined) return { resources, failed, next: placeAt(section.key, found.next) };
    }
  }
  return { resources, failed };
}

/** Faults after which one type is named as missing and the others still count: the source does not have the type. */
const TYPE_REFUSED: readonly string[] = ['forbidden', 'not_found', 'invalid_request', 'unsupported_parameter', 'bad_gateway'];

async function page(
  clinical: Clinical,
  { type, params }: Section,
  count: number,
  cursor: string | undefined,
): Promise<Part> {
  try {
    const { resources, next } = await clinical.search(type, {
      ...{ params, count, strict: true },
      ...(cursor !== undefined && { cursor }),
    });
    return { resources, ...(next !== undefined && { next }), failed: [] };
  } catch (error) {
    if (cursor !== undefined || !(error instanceof Fault) || !TYPE_REFUSED.includes(error.code)) throw error;
    const missing = new Fault(error.code, `Not all ${type} resources are in this answer: ${error.message}`, error.details);
    return { resources: [], failed: [missing] };
  }
}

async function imagesPart(
  { tenant, images }: EverythingOptions,
  access: Access,
  patientId: string,
  { types, filter, offset, count }: { types: ReadonlySet<string>; filter: DataFilter; offset: number; count: number },
): Promise<Part & { endpoint?: Resource }> {
  // A page that is full says only where the images begin.
  if (count <= 0) return { resources: [], failed: [], next: placeAt(IMAGES, String(offset)) };
  const { studies, endpoint, failed } = await images(tenant, access, patientId);
  const { since, start, end } = filter;
  const wanted = studies.filter(
    ({ meta, started }) =>
      types.has('ImagingStudy') &&
      (since === undefined || mayBeIn(meta?.lastUpdated, since)) &&
      mayBeIn(started, start, end),
  );
  const stop = offset + count;
  return {
    resources: wanted.slice(offset, stop),
    failed: [...failed],
    ...(endpoint && types.has('Endpoint') && { endpoint }),
    ...(stop < wanted.length && { next: placeAt(IMAGES, String(stop)) }),
  };
}

async function sharedBy(
  resources: readonly Resource[],
  shared: SharedResources,
  clinical: Clinical,
): Promise<Resource[]> {
  for (const resource of resources) shared.given(resource);
  for (const resource of resources) await shared.note(clinical, resource);
  const found: Resource[] = [];
  for await (const part of shared.read(READ_TOGETHER, () => clinical)) found.push(...part);
  return found;
}

function bundleOf(
  url: string,
  base: string,
  answer: {
    matches: readonly Resource[];
    included: readonly Resource[];
    failed: readonly Fault[];
    next: string | undefined;
    asked: Asked;
  },
): Bundle {
  const { matches, included, failed, next, asked } = answer;
  const entry = (mode: 'match' | 'include') => (resource: Resource): SearchEntry => ({
    ...{ resource, mode },
    fullUrl: `${base}/${resource.resourceType}/${resource.id}`,
  });
  const isWhole = next === undefined && asked.cursor === undefined;
  const whole = isWhole && failed.length === 0 ? matches.length : undefined;
  return searchset({
    ...{ url, applied: asked.applied, total: whole },
    entries: [...matches.map(entry('match')), ...included.map(entry('include')), ...failed.map(outcomeEntry)],
    pages: isWhole
      ? undefined
      : { count: asked.count, places: { first: [], ...(next !== undefined && { next: [['_cursor', next]] }) } },
  });
}
