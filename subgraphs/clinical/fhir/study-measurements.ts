import type { Observation } from 'fhir/r4.js';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { encodeCursor, LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import { leaveOut } from '../../../schema/fhir/search/search-request.ts';
import { trimmedAlternatives } from '../../../schema/fhir/search/search-value.ts';
import { measurementsOf } from '../joins/measurements.ts';
import type { Clinical } from '../record/clinical.ts';
import { pageOf, type Page } from '../record/page.ts';
import type { Search } from '../record/search.ts';
import type { SearchParams } from '../sources/source.ts';

/**
 * `Observation?derived-from=ImagingStudy/{uid}`: after the record's own Observations come the measurements in the
 * structured reports of the study. No other search finds them, so that none costs a look into the archive.
 */

/** Studies of one search. */
const MAX_STUDIES = 10;
const DERIVED_FROM = /^derived-from(:ImagingStudy)?$/;
/** Place of a page that begins among the measurements. */
const OWN_PLACE = /^sr:(\d{1,9})$/;

/** A page of Observations, and those of them that have no URL of their own. */
export interface ObservationPage {
  page: Page;
  made: ReadonlySet<unknown>;
}

const NONE: ReadonlySet<unknown> = new Set();

/** Returns one page of a search for Observations. @throws Fault like `pageOf` */
export async function observationPage(
  clinical: Clinical,
  search: Search,
  base: string,
): Promise<ObservationPage> {
  const studies = studiesNamed(search.params, base);
  if (studies.length === 0 || !clinical.images())
    return { page: await pageOf(clinical, 'Observation', search), made: NONE };
  const own = ownPlace(search.cursor);
  const record = await recordPage(clinical, search, own !== undefined);
  if (record.next !== undefined && record.count === undefined) return { page: record, made: NONE };
  const found = await measurements(clinical, studies, { search, applied: record.applied, base });
  if (record.next !== undefined) return { page: counted(record, found), made: NONE };
  const size = Math.max(1, search.count ?? LARGEST_PAGE);
  const start = own ?? Math.max(0, (search.offset ?? 0) - (record.count ?? 0));
  const shown = found.observations.slice(start, start + size - record.resources.length);
  const end = start + shown.length;
  const page: Page = {
    ...counted(record, found),
    resources: [...record.resources, ...shown],
    ...(end < found.observations.length && { next: encodeCursor(`sr:${end}`) }),
  };
  return { page, made: new Set(shown) };
}

/** Returns the record's part of a page: none of its resources on a page that begins among the measurements. */
async function recordPage(clinical: Clinical, search: Search, isPast: boolean): Promise<Page> {
  const { cursor, ...first } = search;
  const isFurther = (search.offset ?? 0) > 0;
  const page = await pageOf(clinical, 'Observation', {
    ...(isPast || cursor === undefined ? first : { ...first, cursor }),
    // The measurements begin where the record ends.
    ...(isFurther && { total: 'accurate' as const }),
  });
  const isSearched = page.applied.some(([name]) => DERIVED_FROM.test(name));
  if (isSearched && !isPast) return page;
  const { next: _, last: __, offset: ___, ...others } = page;
  if (isSearched) return { ...others, resources: [] };
  // A record that cannot search by it has found Observations of other studies too.
  const applied = [...page.applied, ...search.params.filter(([name]) => DERIVED_FROM.test(name))];
  const ignored = page.ignored.filter(({ message }) => !message.includes('derived-from'));
  const empty = { ...others, count: 0, resources: [], applied, ignored: [...ignored, notSearched()] };
  return isPast ? empty : { ...empty, offset: 0 };
}

/** Adds the measurements to the total, and what is said of them. The last page is not known: the record counts its own. */
function counted(record: Page, { observations, warnings }: Found): Page {
  const { last, ...page } = record;
  return {
    ...page,
    ...(last !== undefined && observations.length === 0 && { last }),
    count: page.count === undefined ? undefined : page.count + observations.length,
    ignored: [...page.ignored, ...warnings],
  };
}

interface Found {
  observations: readonly Observation[];
  warnings: readonly Fault[];
}

async function measurements(
  clinical: Clinical,
  studies: readonly string[],
  { search, applied, base }: { search: Search; applied: SearchParams; base: string },
): Promise<Found> {
  const observations: Observation[] = [];
  const ignored: Fault[] = [];
  for (const studyUid of studies) {
    try {
      const found = await measurementsOf(clinical, studyUid);
      observations.push(...found.observations);
      ignored.push(...found.failed);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      ignored.push(error);
    }
  }
  if (observations.length === 0) return { observations, warnings: ignored };
  const handling = { strict: search.strict ?? false, ignored };
  if (search.sort !== undefined)
    leaveOut(
      unsupported(`${OF_REPORTS} are not sorted: they follow the Observations of the record.`),
      handling,
    );
  const matching = clinical.matching('Observation', observations, relative(applied, base));
  if (!matching) {
    leaveOut(
      unsupported(`${OF_REPORTS} are left out: they cannot be searched by all of these parameters.`),
      handling,
    );
    return { observations: [], warnings: ignored };
  }
  return { observations: (await matching) as Observation[], warnings: ignored };
}

/** Returns the Study Instance UIDs that `derived-from` names. @throws Fault `invalid_request` for too many */
function studiesNamed(params: SearchParams, base: string): string[] {
  const named = relative(params, base)
    .filter(([name]) => DERIVED_FROM.test(name))
    .flatMap(([name, value]) =>
      trimmedAlternatives(value).flatMap((one) => {
        const [, type, id = ''] = /^(ImagingStudy\/)?(.*)$/.exec(one) ?? [];
        const isStudy = type !== undefined || name.endsWith(':ImagingStudy');
        // Another id is that of the record.
        return isStudy && isDottedUid(id) ? [id] : [];
      }),
    );
  const studies = [...new Set(named)];
  if (studies.length > MAX_STUDIES)
    throw new Fault('invalid_request', `derived-from takes at most ${MAX_STUDIES} studies.`);
  return studies;
}

/** Writes absolute references to this server as relative ones, as the measurements have them. */
function relative(params: SearchParams, base: string): SearchParams {
  return params.map(([name, value]) =>
    DERIVED_FROM.test(name) ? ([name, value.replaceAll(`${base}/`, '')] as const) : ([name, value] as const),
  );
}

function ownPlace(cursor: string | undefined): number | undefined {
  const [, place] = OWN_PLACE.exec(Buffer.from(cursor ?? '', 'base64url').toString()) ?? [];
  return place === undefined ? undefined : Number(place);
}

function notSearched(): Fault {
  const message =
    'The clinical record cannot be searched by derived-from: only measurements of structured reports are given.';
  return new Fault('unsupported_parameter', message, { service: 'clinical' });
}

const OF_REPORTS = 'Measurements of structured reports';
const unsupported = (message: string): Fault => new Fault('unsupported_parameter', message);
