import { randomUUID } from 'node:crypto';
import type { DiagnosticReport, Observation, Resource } from 'fhir/r4.js';
import { requirePatient } from '../../../schema/access/access.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { encodeCursor, LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientStudy } from '../record/study-images.ts';
import { isWithin, requireDates, WRITTEN_DAY, type DateBounds } from './dates.ts';
import type { NewestOf } from '../sources/source.ts';
import { comparePlaces, studyEntry, type Entry, type Placed, type Place } from './entry.ts';
import { groupObservations, undatedObservation } from './groups.ts';
import { placeOfCursor } from './timeline-place.ts';
import { ReportedStudies } from './reported-studies.ts';
import { TypeSearch, type Dated } from './type-search.ts';
import { RECORD_TYPES, type RecordType } from './types.ts';

/** Entries on a page without `_count`, and at most. */
const USUAL_PAGE = 20;
const MOST_ENTRIES = 500;
/** Resources that one search reads beyond the page: entries of the last moment are known only with the moment before. */
const MARGIN = 10;
/** Share of the page that one type of several usually has at most; a type that has more is searched again. */
const SHARE = 0.5;
/** Observations that one search reads for each entry of the page: a group has many. */
const OF_ENTRY = 4;

const REPORT = 'DiagnosticReport';
const OBSERVATION = 'Observation';
const STUDY = 'ImagingStudy';

/** The types of a timeline, as the graph's `TimelineType`. */
const TIMELINE_TYPES: readonly string[] = [...RECORD_TYPES.map(({ type }) => type), STUDY].sort();

export interface TimelineRequest extends DateBounds {
  patientId: string;
  /** Undefined: all. */
  types?: readonly string[] | undefined;
  count?: number | undefined;
  cursor?: string | undefined;
}

/** A type that is not, or not whole, in the answer. */
export interface Missing {
  type: string;
  fault: Fault;
}

export interface TimelinePage {
  entries: readonly Entry[];
  next?: string;
  pagesize: number;
  missing: readonly Missing[];
}

/**
 * Returns one page of what happened to a patient (FG-17). One search per type reads as many resources as the page needs; the
 * rest of the timeline is not read.
 * @throws Fault `invalid_request` for a date, a count or a cursor that is none, `forbidden` for a patient out of reach; like
 * `Clinical.search` if no type can be searched. A type that cannot be searched while others can is `missing`
 */
export async function timelinePage(clinical: Clinical, request: TimelineRequest): Promise<TimelinePage> {
  const { count = USUAL_PAGE } = request;
  requirePatient(clinical.access, request.patientId);
  requireDates(request);
  if (count < 1 || count > MOST_ENTRIES) {
    const message = `_count of a timeline is a number from 1 to ${MOST_ENTRIES}. Read the rest by next (_cursor).`;
    throw new Fault('invalid_request', message);
  }
  const after = await placeOfCursor(clinical, request);
  const page = new PageOfTimeline(clinical, { ...request, after, size: count });
  return page.read();
}

/** Returns how many resources one search for a page reads. @param isOneOfMany false if no other type is on the timeline */
function countOf(type: string, size: number, isOneOfMany: boolean): number {
  if (type === OBSERVATION) return Math.min(OF_ENTRY * size + MARGIN, LARGEST_PAGE);
  return Math.ceil(size * (isOneOfMany ? SHARE : 1)) + MARGIN;
}

interface PageOptions extends TimelineRequest {
  after: Place | undefined;
  size: number;
}

class PageOfTimeline {
  readonly #clinical: Clinical;
  readonly #options: PageOptions;
  readonly #searches = new Map<string, TypeSearch>();
  readonly #missing = new Map<string, Fault>();
  readonly #asksStudies: boolean;
  /** Undefined: they could not be searched. */
  #studies: readonly PatientStudy[] | undefined;
  #reported: ReportedStudies;
  /** Reports that are not on this page, but may have its studies. */
  #allReports = false;

  constructor(clinical: Clinical, options: PageOptions) {
    const { types, patientId, from, to, after, size } = options;
    this.#clinical = clinical;
    this.#options = options;
    const isAsked = (type: string): boolean => types === undefined || types.includes(type);
    this.#asksStudies = isAsked(STUDY);
    const before = after && (after.start ?? -Infinity);
    const page = randomUUID();
    for (const type of RECORD_TYPES.filter(({ type }) => isAsked(type))) {
      const count = countOf(type.type, size, types?.length !== 1);
      const newestOf = { page, ...this.#neededOf(type) };
      const search = { patientId, from, to, before, count, newestOf };
      this.#searches.set(type.type, new TypeSearch(clinical, type, search));
    }
    this.#reported = new ReportedStudies(clinical, []);
  }

  /** Returns what the page needs of a type. */
  #neededOf({ type, parameter, byDay }: RecordType): Omit<NewestOf, 'page'> {
    const { after, size } = this.#options;
    // Of the moment where the page before ends, some are on that page.
    const needed = {
      size: size + 1 + (after ? MARGIN : 0),
      // A search without a date may find what is not within the bounds. Of observations, many make an entry.
      counts: parameter !== undefined && type !== OBSERVATION,
    };
    // A report that is not read may have a study of this page.
    const isWhole = type === REPORT && this.#asksStudies && this.#clinical.images() !== undefined;
    return { ...needed, margin: isWhole ? Infinity : byDay ? WRITTEN_DAY : 0 };
  }

  async read(): Promise<TimelinePage> {
    const { after, size } = this.#options;
    const isUndatedPage = after !== undefined && after.start === undefined;
    await Promise.all([
      this.#readStudies(),
      ...(isUndatedPage
        ? []
        : [...this.#searches].map(([type, search]) => this.#try(type, () => search.more()))),
    ]);
    this.#requireAny();
    const placed = isUndatedPage ? [] : await this.#dated();
    // One more than the page shows that there is a next one.
    if (placed.length <= size) placed.push(...(await this.#undated()));
    this.#requireAny();
    const shown = placed.slice(0, size);
    const last = placed.length > size ? shown.at(-1)?.place : undefined;
    return {
      entries: shown.map((one) => this.#withStudies(one)),
      ...(last && { next: encodeCursor(`${last.type}/${last.id}`) }),
      pagesize: size,
      missing: TIMELINE_TYPES.flatMap((type) => {
        const fault = this.#missing.get(type);
        return fault ? [{ type, fault }] : [];
      }),
    };
  }

  /** Runs a search of one type; if it fails, the type is missing. */
  async #try(type: string, search: () => Promise<unknown>): Promise<void> {
    if (this.#missing.has(type) && type !== STUDY) return;
    try {
      await search();
    } catch (error) {
      const fault = toFault(error);
      // An error of this server is no answer.
      if (fault.code === 'internal') throw error;
      this.#missing.set(type, fault);
      this.#searches.delete(type);
      if (type === STUDY) this.#studies = undefined;
    }
  }

  /** @throws Fault if nothing could be searched */
  #requireAny(): void {
    const [first] = this.#missing.values();
    if (first && this.#searches.size === 0 && this.#studies === undefined) throw first;
  }

  async #readStudies(): Promise<void> {
    if (!this.#asksStudies) return;
    await this.#try(STUDY, async () => {
      const { studies, failed } = await this.#clinical.studiesOf(this.#options.patientId);
      this.#studies = studies;
      this.#reported = new ReportedStudies(this.#clinical, studies);
      if (failed[0]) this.#missing.set(STUDY, failed[0]);
    });
  }

  /** Returns the next entries with a date: more than the page has, or all. */
  async #dated(): Promise<Placed[]> {
    for (;;) {
      await this.#join();
      const horizon = Math.max(-Infinity, ...[...this.#searches.values()].map((search) => search.horizon));
      const placed = this.#placed().filter(({ place }) => place.start! > horizon);
      if (placed.length > this.#options.size || horizon === -Infinity) {
        if (!this.#needsAllReports(placed)) return placed;
        await this.#readAllReports();
        continue;
      }
      const behind = [...this.#searches].filter(([, search]) => search.horizon === horizon);
      await Promise.all(behind.map(([type, search]) => this.#try(type, () => search.more())));
    }
  }

  /** Finds the studies of the reports that were read. */
  async #join(): Promise<void> {
    const reports = this.#searches.get(REPORT)?.dated ?? [];
    await this.#try(STUDY, () =>
      this.#reported.add(reports.map(({ resource }) => resource as DiagnosticReport)),
    );
  }

  /** Returns true if a study among these may have a report that was not read: a report of another page. */
  #needsAllReports(placed: readonly Placed[]): boolean {
    const reports = this.#searches.get(REPORT);
    if (!reports || this.#allReports || (reports.isWhole && this.#options.after === undefined)) return false;
    return placed.slice(0, this.#options.size + 1).some(({ place }) => place.type === STUDY);
  }

  async #readAllReports(): Promise<void> {
    this.#allReports = true;
    await this.#try(REPORT, async () => {
      const reports = await this.#searches.get(REPORT)!.all();
      await this.#reported.add(reports as DiagnosticReport[]);
    });
  }

  /** Returns the entries of all that was read and comes after the page before, in order. */
  #placed(): Placed[] {
    const placed = [...this.#searches.values()]
      .filter(({ type }) => type.type !== OBSERVATION)
      .flatMap(({ type, dated }) => dated.map((one) => placedOf(type, one.resource, one)));
    const reports = placed.filter(({ report }) => report);
    placed.push(...groupObservations(this.#searches.get(OBSERVATION)?.dated ?? [], reports));
    placed.push(...this.#unreported().filter(({ place }) => place.start !== undefined));
    return this.#rest(placed);
  }

  /** Returns the entries that come after the page before, in order. */
  #rest(placed: readonly Placed[]): Placed[] {
    const { after } = this.#options;
    return placed
      .filter(({ place }) => !after || comparePlaces(place, after) > 0)
      .sort((a, b) => comparePlaces(a.place, b.place));
  }

  #unreported(): Placed[] {
    return (this.#studies ?? [])
      .filter(
        (study) => !this.#reported.isReported(study) && isWithin({ date: study.started }, this.#options),
      )
      .map(studyEntry);
  }

  /** Returns the entries without a date that come after the page before, in order. */
  async #undated(): Promise<Placed[]> {
    const placed: Placed[] = [];
    const found = [...this.#searches].map(([type, search]) =>
      this.#try(type, async () => {
        const resources = await search.undated();
        if (type === REPORT) await this.#reported.add(resources as DiagnosticReport[]);
        placed.push(...resources.map((resource) => placedOf(search.type, resource)));
      }),
    );
    await Promise.all(found);
    const studies = () => this.#unreported().filter(({ place }) => place.start === undefined);
    if (this.#needsAllReports(studies())) await this.#readAllReports();
    placed.push(...studies());
    return this.#rest(placed);
  }

  #withStudies({ entry, report }: Placed): Entry {
    if (!report) return entry;
    if (!this.#studies) return { ...entry, studies: this.#asksStudies ? null : [] };
    const studies = this.#reported.of(report).map(({ id }) => ({ __typename: 'ImagingStudy', id }) as const);
    return { ...entry, studies };
  }
}

/** Returns the entry of a resource. @param dated undefined for a resource without a date */
function placedOf(type: RecordType, resource: Resource, dated?: Dated): Placed {
  const { kind } = type;
  if (kind === undefined) return undatedObservation(resource as Observation);
  const { date, start, end } = dated?.when ?? type.when(resource) ?? {};
  return {
    entry: { kind, date, end, title: type.title(resource), resource },
    place: { type: type.type, id: resource.id ?? '', kind, start },
    ...(type.type === REPORT && { report: resource as DiagnosticReport }),
  };
}
