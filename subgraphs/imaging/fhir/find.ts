import type { ImagingStudy } from 'fhir/r4.js';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { Tag } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Candidate } from './criterion.ts';
import { startedOf } from '../dicom/dicom-date.ts';
import { uid, unsignedInt } from '../dicom/dicom-text.ts';
import { endpointStyle, styleOfSearch, type EndpointStyle } from './endpoint.ts';
import { imagingStudy } from './imaging-study.ts';
import { aloneStudy, factsOf, withRecord } from './one-study.ts';
import { inOrder, matches, studyUidsOf, type ImagingStudySearch } from './search.ts';
import type { FirstSeenEntry, FirstSeen, Sighting } from '../cache/first-seen.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { allOf, andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { WadoBaseOptions } from '../study/wado-base.ts';
import { uidOf } from '../study/record/record-halves.ts';
import type { RecordStudy } from '../study/record/record-study.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import type { Detail, StudyList, StudyRecord, WantedPatients } from '../study/study-records.ts';
import { linkTests } from './joins/chains.ts';
import { patientsOf } from './patients-of-search.ts';
import type { RecordJoins } from './joins/record-joins.ts';
import { prepareInstances } from '../study/document/study-document.ts';
import { keysOf } from '../study/document/study-keys.ts';

/** Options of the FHIR and GraphQL APIs, besides the core. */
export interface ResourceOptions extends WadoBaseOptions {
  firstSeen: FirstSeen;
  /** Seconds since the epoch. */
  now(): number;
  /** The record, for searches that lead to it. */
  record?: RecordJoins | undefined;
}

/** A study that was found: its resource, its memory (first seen), and the rows it was made from. */
export interface FoundStudy extends Candidate {
  /** Undefined for a study that only the clinical record has (IA-34): it cannot be retrieved. */
  record?: StudyRecord;
  /** The study in the clinical record. */
  own?: RecordStudy;
  memory?: FirstSeenEntry;
  /** Set if the study was searched for; undefined if it was read. */
  searched?: SearchedFor | undefined;
}

/** A search that found a study: the patient that it named, if any. */
export interface SearchedFor {
  patient?: string | undefined;
}

export interface Found {
  total: number;
  /** Faults of sources that did not answer, while others did (DW-18); of the record too, which knows the patients. */
  failed: readonly Fault[];
  /** All that match, in order. */
  all: readonly Pick<FoundStudy, 'record'>[];
  /** The same with their resources; undefined if only those of the page were made. */
  resources?: readonly FoundStudy[];
  /** The requested page, in order. */
  page: readonly FoundStudy[];
  /** The query to the core, for fetching more of the same studies. */
  asked: { patients: readonly WantedPatients[]; studyUids?: readonly string[]; records: number };
}

/** A search, and what else is wanted. */
type Asked = ImagingStudySearch & {
  endpointStyle?: EndpointStyle;
  /** Makes the resources of all that match, and not only of the page. */
  resources?: true;
};

/**
 * Runs a search (IA-13) for FHIR REST and GraphQL.
 * @param where condition that no search parameter expresses
 * @throws Fault `forbidden` for a named patient who is out of reach (IA-7), and the faults of the core
 */
export function findStudies(
  imaging: AuthorizedStudies,
  search: Asked,
  options: ResourceOptions,
  where?: (found: FoundStudy) => boolean,
): Awaitable<Found> {
  const { patients, criteria, resources } = search;
  const isOfAll = patients.length === 0 && imaging.access.patients === 'all' && imaging.isOneFolder;
  const isPage = isOfAll && !where && !resources && criteria.every(({ matchesRow }) => matchesRow);
  if (!isPage) return findAll(imaging, search, options, where);
  return andThen(pageOfAll(imaging, search, options), (found) => found ?? findAll(imaging, search, options));
}

/** Finds studies with the resources of all that match. */
function findAll(
  imaging: AuthorizedStudies,
  search: Asked,
  options: ResourceOptions,
  where?: (found: FoundStudy) => boolean,
): Awaitable<Found> {
  return andThen(patientsOf(imaging, search, options.record), (patients) =>
    andThen(linkTests(options.record, imaging, { criteria: search.criteria, patients }), (tests) =>
      andThen(listsOf(imaging, patients, { search, options }), (lists) => {
        const matching = (studies: readonly FoundStudy[]) => {
          const found = matchingStudies(search, { studies, tests, now: options.now() });
          return where ? found.filter(where) : found;
        };
        return foundIn(lists, search, { patients, matching });
      }),
    ),
  );
}

/**
 * Finds a page of the studies of all patients. Their UIDs in order, or their rows, tell which studies match, and which are on
 * it: series are read, and resources made, for these only, because there may be a hundred thousand.
 * @returns undefined if that does not suffice
 */
function pageOfAll(
  imaging: AuthorizedStudies,
  search: Asked,
  options: ResourceOptions,
): Awaitable<Found | undefined> {
  const { offset, count, sort, endpointStyle: style = styleOfSearch(imaging.tenant, search) } = search;
  const isUsual =
    search.criteria.length === 0 && sort.every(({ by, descending }) => by === 'started' && descending);
  const least = isUsual ? { onlyUids: true as const } : { owners: false as const };
  return andThen(imaging.list(undefined, { detail: 'study', joined: true, ...least }), (list) => {
    const { records, joined, alone = [] } = list;
    // What the clinical record says of a study may give it another place.
    if (alone.length > 0 || (joined && joined.size > 0) || count >= records.length) return undefined;
    return andThen(isUsual ? records : placed(imaging, records, { search, options }), (all) => {
      const studyUids = all.slice(offset, offset + count).map(uidOf);
      const found = copyWith(options, { endpointStyle: style, searched: { patient: undefined } });
      const page = studyUids.length > 0 ? imaging.list(undefined, { studyUids }) : { records: [] };
      return andThen(page, ({ records }) =>
        andThen(foundStudies(imaging.tenant, records, found), (studies) => ({
          total: all.length,
          all: all.map((record) => ({ record })),
          failed: [...new Set([...list.failed, ...patientFaults(records.map((record) => ({ record })))])],
          page: inOrder(search, studies),
          asked: { patients: [undefined], studyUids, records: studyUids.length },
        })),
      );
    });
  });
}

/** Returns the rows of studies that match, sorted as their resources are. */
function placed(
  { tenant }: AuthorizedStudies,
  records: readonly StudyRecord[],
  { search, options }: { search: ImagingStudySearch; options: ResourceOptions },
): Awaitable<readonly StudyRecord[]> {
  const matching = records.filter(({ study }) => search.criteria.every((one) => one.matchesRow!(study)));
  return andThen(options.firstSeen.observe(tenant.key, sightingsOf(matching)), (memories) => {
    const places = matching.map((record) => {
      const study = { id: uidOf(record), started: startedOf(record.study) } as ImagingStudy;
      return { record, study, memory: memories.get(study.id!)! };
    });
    return inOrder(search, places).map(({ record }) => record);
  });
}

/** The studies of a patient, and faults of image sources that did not answer. */
interface Listed {
  studies: readonly FoundStudy[];
  failed: readonly Fault[];
}

/** Lists the studies of each patient, or of several together. */
function listsOf(
  imaging: AuthorizedStudies,
  patients: readonly WantedPatients[],
  { search, options }: { search: Asked; options: ResourceOptions },
): Awaitable<readonly Listed[]> {
  const studyUids = studyUidsOf(search);
  const detail: Detail = search.criteria.some(({ instances }) => instances) ? 'instance' : 'series';
  const style = search.endpointStyle ?? styleOfSearch(imaging.tenant, search);
  const asked = { detail, joined: true, ...(studyUids && { studyUids }) } as const;
  return allOf(patients, (patient) =>
    andThen(imaging.list(patient, asked), (list) => {
      const searched = { patient: typeof patient === 'object' ? undefined : patient };
      const found = copyWith(options, { endpointStyle: style, searched });
      const studies = joinedStudies(imaging.tenant, list, found);
      return andThen(studies, (studies) => ({ studies, failed: list.failed }));
    }),
  );
}

/** Puts together what was found. */
function foundIn(
  lists: readonly Listed[],
  search: ImagingStudySearch,
  {
    patients,
    matching,
  }: {
    patients: readonly WantedPatients[];
    matching: (studies: readonly FoundStudy[]) => readonly FoundStudy[];
  },
): Found {
  const studyUids = studyUidsOf(search);
  const [only, ...others] = lists;
  // A study that two of the named patients reach is listed once.
  const fetched =
    only && others.length === 0
      ? only.studies
      : [...new Map(lists.flatMap(({ studies }) => studies).map((one) => [one.study.id, one])).values()];
  const all = ordered(search, matching(fetched));
  const failed = lists.flatMap((list) => list.failed);
  const { offset, count } = search;
  return {
    total: all.length,
    all,
    resources: all,
    failed: [...new Set([...failed, ...patientFaults(all)])],
    page: offset === 0 && count >= all.length ? all : all.slice(offset, offset + count),
    asked: {
      patients,
      records: lists.reduce((sum, { studies }) => sum + studies.length, 0),
      ...(studyUids && { studyUids }),
    },
  };
}

/** Returns why the patients of studies are not known, each failure once. */
export function patientFaults(studies: readonly Pick<FoundStudy, 'record'>[]): readonly Fault[] {
  const faults = studies.flatMap(({ record }) => record?.patientFault ?? []);
  return [...new Map(faults.map((fault) => [`${fault.code} ${fault.message}`, fault])).values()];
}

/** @param now seconds since the epoch */
function matchingStudies(
  search: ImagingStudySearch,
  { studies, tests, now }: { studies: readonly FoundStudy[]; tests: Candidate['tests']; now: number },
): readonly FoundStudy[] {
  if (search.criteria.length === 0) return studies;
  return studies.filter((found) => {
    const joined = tests && { tests, keys: keysOf(found) };
    return matches(search, { ...found, ...joined }, now * 1000);
  });
}

const inUsualOrder = new Derivation<readonly FoundStudy[], readonly FoundStudy[]>();

function ordered(search: ImagingStudySearch, studies: readonly FoundStudy[]): readonly FoundStudy[] {
  if (search.sort.length > 0) return inOrder(search, studies);
  return inUsualOrder.of(studies, [], () => Object.freeze(inOrder(search, studies)));
}

/**
 * Reads one study by Study Instance UID, or by its logical id in the clinical record; undefined if it is unknown or out of
 * reach (IA-7).
 */
export async function readStudy(
  imaging: AuthorizedStudies,
  id: string,
  detail: Detail,
  options: ResourceOptions,
): Promise<FoundStudy | undefined> {
  const { record, own } = (await imaging.find(id, { detail, joined: true })) ?? {};
  if (!record) return own && aloneStudy(own);
  const [found] = await foundStudies(imaging.tenant, [record], options);
  return found && own ? withRecord(found, own) : found;
}

/** Makes resources of a list: those of the archives with what the record says of them, then those of the record alone. */
export function joinedStudies(
  tenant: Tenant,
  { records, joined, alone = [] }: StudyList,
  options: Parameters<typeof foundStudies>[2],
): Awaitable<readonly FoundStudy[]> {
  return andThen(foundStudies(tenant, records, options), (found) => {
    if (alone.length === 0 && !(joined && joined.size > 0)) return found;
    const owns = found.map(({ study }) => joined?.get(study.id!));
    const halves = [...owns, ...alone].flatMap((own) => (own ? factsOf(own) : [undefined]));
    return joinedLists.of(found, [alone.length, ...halves], () =>
      Object.freeze([
        ...found.map((one, index) => (owns[index] ? withRecord(one, owns[index]) : one)),
        ...alone.map((own) => aloneStudy(own)),
      ]),
    );
  });
}

const joinedLists = new Derivation<readonly FoundStudy[], readonly FoundStudy[]>();

const sighted = new Derivation<readonly StudyRecord[], readonly Sighting[]>();
const found = new Derivation<readonly StudyRecord[], readonly FoundStudy[]>();

/**
 * Makes resources of records, each study once, with their memories (IA-13).
 * @returns the same list for the same frozen records, while nothing else that goes into it changes
 */
export function foundStudies(
  tenant: Tenant,
  records: readonly StudyRecord[],
  options: ResourceOptions & { endpointStyle?: EndpointStyle; searched?: SearchedFor },
): Awaitable<readonly FoundStudy[]> {
  const sightings = sighted.of(records, [], () => Object.freeze(sightingsOf(records)));
  const { searched } = options;
  const base = tenantBase(options.baseUrl, tenant);
  const style = options.endpointStyle ?? endpointStyle(tenant);
  const make = (memories: ReadonlyMap<string, FirstSeenEntry>) =>
    [...byStudyUid(records)].map(([studyUid, record]): FoundStudy => {
      const memory = memories.get(studyUid);
      const { lastUpdated } = memory ?? {};
      const study = imagingStudy(record, { base, endpointStyle: style, ...(lastUpdated && { lastUpdated }) });
      return Object.freeze({ record, searched, ...(memory && { memory }), study });
    });
  return andThen(prepareInstances(records), () =>
    andThen(options.firstSeen.observe(tenant.key, sightings), (memories) => {
      // Resources are frozen. With capabilities they are copied, because the caller's Endpoint is added later.
      if (style === 'capability') return make(memories).map((one) => ({ ...one, study: { ...one.study } }));
      const others = [memories, base, style, searched !== undefined, searched?.patient];
      return found.of(records, others, () => Object.freeze(make(memories)));
    }),
  );
}

function byStudyUid(records: readonly StudyRecord[]): Map<string, StudyRecord> {
  const named = records.map((record) => [uid(record.study, Tag.StudyInstanceUID), record] as const);
  return new Map(named.flatMap(([studyUid, record]) => (studyUid === undefined ? [] : [[studyUid, record]])));
}

function sightingsOf(records: readonly StudyRecord[]): Sighting[] {
  return [...byStudyUid(records)].map(([studyUid, { study }]) => ({
    studyUid,
    instances: unsignedInt(study, Tag.NumberOfStudyRelatedInstances),
  }));
}
