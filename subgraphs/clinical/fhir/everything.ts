import type { Bundle, Resource } from 'fhir/r4.js';
import { requirePatient, type Access } from '../../../schema/access/access.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import { foreignCursor } from '../../../schema/fault/refusals.ts';
import { decodeCursor, encodeCursor, LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import {
  readSearchRequest,
  unsupported,
  type Parameters,
  type ResultRules,
} from '../../../schema/fhir/search/search-request.ts';
import { outcomeEntry, searchset, type SearchEntry } from '../../../schema/fhir/search/searchset.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import {
  FILTER_PARAMETERS,
  mayBeIn,
  readDataFilter,
  sectionsOf,
  wantedTypes,
  type DataFilter,
  type Section,
} from '../record/patient-data.ts';
import type { PatientImages } from '../record/study-images.ts';
import { pageOfSections, type Part, type SectionPlace } from '../record/section-pages.ts';
import { SharedResources } from '../record/shared-resources.ts';

/** `Patient/{id}/$everything` (R4 Patient-everything). */

const RESULTS: ResultRules = {
  defaultCount: LARGEST_PAGE,
  maxCount: LARGEST_PAGE,
  more: { _cursor: () => true, _summary: (value) => value === 'false' },
};

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
  const { criteria, results, ignored } = readSearchRequest(parameters, strict, RESULTS);
  const known = criteria.filter(([name]) => (FILTER_PARAMETERS as readonly string[]).includes(name));
  const others = criteria.filter((parameter) => !known.includes(parameter));
  if (strict && others.length > 0) throw unsupported(others[0]![0]);
  const { cursor } = results;
  const count = Math.max(1, results.count);
  return {
    filter: readDataFilter(known),
    count,
    cursor,
    applied: [
      ...known,
      ['_count', String(count)],
      ...(cursor === undefined ? [] : [['_cursor', cursor] as const]),
    ],
    ignored: [...ignored, ...others.map(([name]) => unsupported(name))],
  };
}

/**
 * Returns one page of a patient's data: the Patient, what is in its compartment, its images, and the resources of shared
 * types that the page refers to. A type that the source refuses is named in an OperationOutcome.
 * @param patientId logical id of a patient, who may be out of reach
 * @throws Fault `forbidden` for a patient out of reach, `insufficient_scope`, and the faults of a source that does not answer
 */
export async function everything(
  patientId: string,
  { parameters, strict }: { parameters: Parameters; strict: boolean },
  { access, ...options }: EverythingOptions & { access: Access },
): Promise<Bundle> {
  const asked = readAsked(parameters, strict);
  const grant = requirePatient(access, patientId);
  // The record below shows this patient alone, whoever else the token reaches. The images are asked for by patient.
  const narrowed: Access = { ...access, patients: [grant] };
  const types = wantedTypes(narrowed, asked.filter.types);
  const clinical = options.open(narrowed);
  const patient = await clinical.read('Patient', patientId);
  const first = asked.cursor === undefined && isWanted(patient, asked.filter) ? [patient] : [];
  const searched = types.searched.filter((type) => type !== 'Patient');
  const sections = sectionsOf(await clinical.backend(), searched, asked.filter);
  const from = readPlace(asked.cursor, sections, types.imaging.size > 0);
  const left = asked.count - first.length;
  const inImages = from?.key === IMAGES;
  const found = await pageOfSections(clinical, sections, { from: inImages ? undefined : from, count: left });
  const images: ImagesPart =
    found.next || types.imaging.size === 0
      ? { resources: [], failed: [] }
      : await imagesPart(options, access, {
          patientId,
          types: types.imaging,
          filter: asked.filter,
          offset: inImages ? Number(from.cursor ?? 0) : 0,
          count: left - found.resources.length,
        });
  const matches = [...first, ...found.resources, ...images.resources];
  const shared = await sharedBy([patient, ...matches], new SharedResources(types.shared), clinical);
  const included = shared.filter((resource) => isWanted(resource, asked.filter));
  const next = found.next ?? images.next;
  return bundleOf(`${options.base}/Patient/${patientId}/$everything`, options.base, {
    matches,
    asked,
    next: next && placeText(next),
    failed: [...asked.ignored, ...found.failed, ...images.failed],
    included: images.endpoint ? [...included, images.endpoint] : included,
  });
}

function isWanted({ resourceType, meta }: Resource, { types, since }: DataFilter): boolean {
  return (
    (types?.includes(resourceType) ?? true) && (since === undefined || mayBeIn(meta?.lastUpdated, since))
  );
}

/** @returns undefined when there is nothing to search */
function readPlace(
  cursor: string | undefined,
  sections: readonly Section[],
  images: boolean,
): SectionPlace | undefined {
  if (cursor === undefined) return sections[0] && { key: sections[0].key };
  const text = decodeCursor(cursor, /^[A-Za-z]{1,40}\.\d(:.*)?$/s);
  const [, key = '', place] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  const isImages = key === IMAGES && images && /^\d{0,9}$/.test(place ?? '');
  if (!isImages && !sections.some((section) => section.key === key)) throw foreignCursor();
  return { key, cursor: place };
}

const placeText = ({ key, cursor }: SectionPlace): string =>
  encodeCursor(cursor === undefined ? key : `${key}:${cursor}`);

type ImagesPart = Part & { endpoint?: Resource };

async function imagesPart(
  { tenant, images }: EverythingOptions,
  access: Access,
  asked: { patientId: string; types: ReadonlySet<string>; filter: DataFilter; offset: number; count: number },
): Promise<ImagesPart> {
  const { patientId, types, filter, offset, count } = asked;
  // A page that is full says only where the images begin.
  if (count <= 0) return { resources: [], failed: [], next: { key: IMAGES, cursor: String(offset) } };
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
    ...(stop < wanted.length && { next: { key: IMAGES, cursor: String(stop) } }),
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
  const entry =
    (mode: 'match' | 'include') =>
    (resource: Resource): SearchEntry => ({
      resource,
      mode,
      fullUrl: `${base}/${resource.resourceType}/${resource.id}`,
    });
  const isWhole = next === undefined && asked.cursor === undefined;
  const whole = isWhole && failed.length === 0 ? matches.length : undefined;
  return searchset({
    url,
    applied: asked.applied,
    total: whole,
    entries: [...matches.map(entry('match')), ...included.map(entry('include')), ...failed.map(outcomeEntry)],
    pages: isWhole
      ? undefined
      : {
          count: asked.count,
          places: { first: [], next: next === undefined ? undefined : [['_cursor', next]] },
        },
  });
}
