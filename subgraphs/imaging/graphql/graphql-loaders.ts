import DataLoader from 'dataloader';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { permitting, requireScope } from '../../../schema/access/scopes.ts';
import { uid } from '../dicom/dicom-text.ts';
import { joinedStudies, readStudy, type ResourceOptions, type FoundStudy } from '../fhir/find.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import type { Selection } from '../parsing/select-attributes.ts';
import { turns } from '../../../schema/process/event-loop.ts';
import type { InstanceTarget } from '../sources/source.ts';
import { Semaphore } from '../../../schema/concurrency/semaphore.ts';
import { utf8 } from '../../../schema/process/texts.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { OfRows } from '../facts/of-rows.ts';
import { grouped } from '../facts/study-rows.ts';
import { studyReports, type StudyReports } from '../study/measured-reports.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import { commonWadoBase, wadoBase } from '../study/wado-base.ts';

/** Rows of instances by Series Instance UID. */
export type InstanceGroups = ReadonlyMap<string, readonly DicomJson[]>;

/** Attributes wanted from the metadata of an instance. */
export interface AskedAttributes extends InstanceTarget {
  /** The WADO-RS base of the study. */
  base: string;
  tags: Selection;
}

/** Options of the GraphQL API. */
export interface GraphqlOptions extends ResourceOptions {
  /** Read structured reports. */
  threads: ParsingThreads;
}

/**
 * Loaders of one request, each made when it is first used: GraphQL fields ask for single objects, and the source is asked for
 * many at once.
 *
 * It is a class because V8 makes a hidden class for each object literal with getters, and that keeps the whole request in
 * memory until the next full garbage collection.
 */
export class RequestLoaders {
  readonly #imaging: AuthorizedStudies;
  readonly #options: GraphqlOptions;
  readonly #budget: AnswerBudget | undefined;
  readonly #made: { -readonly [name in keyof RequestLoaders]?: RequestLoaders[name] } = {};

  /** @param budget of the answer; long lists take several turns of the event loop */
  constructor(imaging: AuthorizedStudies, options: GraphqlOptions, budget?: AnswerBudget) {
    this.#imaging = imaging;
    this.#options = options;
    this.#budget = budget;
  }

  /** Resolves in a turn of the event loop that nothing else of the answer uses. */
  nextTurn(): Promise<void> {
    return this.#budget?.nextTurn() ?? nextTurn();
  }

  /** Prepares the studies of a patient, together with those of other patients (FG-6). */
  get patient(): DataLoader<string, true> {
    return (this.#made.patient ??= new DataLoader(async (ids) => {
      if (ids.length > 1) await this.#imaging.prefetch(ids);
      return ids.map(() => true);
    }));
  }

  /** A study by UID, or by its logical id in the clinical record. @throws Fault `not_found` */
  get study(): DataLoader<string, FoundStudy> {
    return (this.#made.study ??= new DataLoader((uids) => studies(this.#imaging, uids, this.#options)));
  }

  /** Instance rows of a study by their Series Instance UID. */
  get instances(): DataLoader<FoundStudy, InstanceGroups, string> {
    return (this.#made.instances ??= new DataLoader((found) => instances(this.#imaging, found), {
      cacheKeyFn: ({ study }) => study.id!,
    }));
  }

  /** The WADO-RS base that all studies share; undefined where each has its own. */
  get commonBase(): string | undefined {
    return commonWadoBase(this.#imaging.tenant, this.#options);
  }

  /** The WADO-RS base of a study; made once per request. */
  get base(): DataLoader<FoundStudy, string, string> {
    const baseOf = ({ study, record }: FoundStudy) => {
      const { patientId } = record ?? {};
      const named = { uid: study.id!, patientId };
      return wadoBase(this.#imaging, named, this.#options);
    };
    return (this.#made.base ??= new DataLoader((found) => settled(found, baseOf), {
      cacheKeyFn: ({ study }) => study.id!,
    }));
  }

  /** Attributes of one instance, by keyword. */
  get metadata(): DataLoader<AskedAttributes, Record<string, unknown>, string> {
    if (this.#made.metadata) return this.#made.metadata;
    const budget = this.#budget;
    const share = { bytes: MAX_METADATA, semaphore: new Semaphore(SERIES_AT_ONCE) };
    return (this.#made.metadata = new DataLoader((asked) => metadata(this.#imaging, asked, share), {
      // After the last slice of a long list, so that one call reads all its instances.
      ...(budget && { batchScheduleFn: (dispatch) => void budget.nextTurn().then(dispatch) }),
      cacheKeyFn: ({ studyUid, seriesUid, instanceUid, tags }) =>
        `${studyUid}/${seriesUid}/${instanceUid}/${tags?.join() ?? ''}`,
    }));
  }

  /** The contents of the structured reports of a study. */
  get reports(): DataLoader<FoundStudy, StudyReports, string> {
    return (this.#made.reports ??= new DataLoader((found) => reports(this.#imaging, found, this.#options), {
      cacheKeyFn: ({ study }) => study.id!,
    }));
  }
}

/** Up to this number studies are read one by one; more are searched for in two calls, if the caller may search. */
const MANY = 4;

async function studies(
  imaging: AuthorizedStudies,
  uids: readonly string[],
  options: ResourceOptions,
): Promise<(FoundStudy | Error)[]> {
  const { access, tenant } = imaging;
  const coverage = requireScope(access, 'ImagingStudy', 'r');
  // Searching must not give more than the right to read allows. A user's token reaches the patients of the studies that
  // are named, and an existing study must cost the same as an absent one (IA-7); so these are read.
  const listing = permitting(access.permissions, 'ImagingStudy', 's').filter(({ level }) => level !== 'user');
  const mayList = !coverage.constraints && listing.length > 0;
  const onePatient = access.patients !== 'all' && access.patients.length === 1;
  if (mayList && (onePatient || uids.length > MANY)) {
    const list = await imaging.list(undefined, { studyUids: uids, joined: true });
    const studies = await joinedStudies(tenant, list, { ...options, searched: {} });
    const found = new Map([
      ...studies.map((one) => [one.recordId, one] as const),
      ...studies.map((one) => [one.study.id, one] as const),
    ]);
    // If a source did not answer, the study may still exist.
    return uids.map((uid) => found.get(uid) ?? list.failed[0] ?? noSuchResource());
  }
  return settled(uids, async (uid) => (await readStudy(imaging, uid, 'series', options)) ?? noSuchResource());
}

async function instances(
  imaging: AuthorizedStudies,
  found: readonly FoundStudy[],
): Promise<(InstanceGroups | Error)[]> {
  const records = new Map<string, ReturnType<AuthorizedStudies['list']>>();
  const searched = (patient: string | undefined) => {
    const key = patient ?? '';
    const studyUids = found
      .filter((one) => one.searched && one.searched.patient === patient)
      .map(({ study }) => study.id!);
    const asked = records.get(key) ?? imaging.list(patient, { detail: 'instance', studyUids });
    records.set(key, asked);
    return asked;
  };
  const rowsOf = async ({ record, searched: by, study }: FoundStudy): Promise<readonly DicomJson[]> => {
    if (!record) return [];
    if (record.instances) return record.instances;
    if (!by) return (await imaging.find(study.id!, { detail: 'instance' }))?.record?.instances ?? [];
    const { records: list } = await searched(by.patient);
    return list.find((one) => uid(one.study, Tag.StudyInstanceUID) === study.id)?.instances ?? [];
  };
  return settled(found, async (one) => instanceGroups(one, await rowsOf(one)));
}

const groups = new OfRows<FoundStudy, InstanceGroups>();

/** Returns the rows of the instances of a study by their series; the same for the same frozen study. */
export function instanceGroups(found: FoundStudy, rows: readonly DicomJson[]): InstanceGroups {
  const make = () => grouped(rows, (row) => uid(row, Tag.SeriesInstanceUID));
  return Object.isFrozen(found) ? groups.of(found, rows, make) : make();
}

/** Reads the reports of studies, a few at a time. */
async function reports(
  imaging: AuthorizedStudies,
  found: readonly FoundStudy[],
  { threads }: GraphqlOptions,
): Promise<(StudyReports | Error)[]> {
  const semaphore = new Semaphore(SERIES_AT_ONCE);
  return settled(found, async ({ study, record }) => {
    const done = await semaphore.acquire();
    const series = record?.series ?? [];
    return studyReports(imaging, threads, { studyUid: study.id!, series }).finally(done);
  });
}

/** Maximum bytes of the metadata of one answer, which is built in memory. */
const MAX_METADATA = 4 * 1024 * 1024;
/** Series whose metadata one request reads at the same time. Other requests use the same threads. */
const SERIES_AT_ONCE = 2;

/** Limits of one request: bytes that are left, and series at the same time. */
interface Share {
  bytes: number;
  semaphore: Semaphore;
}

type Found = Map<AskedAttributes, Record<string, unknown> | Error>;

/** Reads attributes of instances, with one call for each series. */
async function metadata(
  imaging: AuthorizedStudies,
  asked: readonly AskedAttributes[],
  share: Share,
): Promise<(Record<string, unknown> | Error)[]> {
  const found: Found = new Map();
  const bySeries = grouped(asked, ({ studyUid, seriesUid }) => `${studyUid}/${seriesUid}`);
  const ofSeries = async (series: AskedAttributes[]) => {
    const [failure] = await settled([series], (one) => metadataOfSeries(imaging, one, share, found));
    if (failure) for (const one of series) found.set(one, failure);
  };
  await Promise.all([...bySeries.values()].map(ofSeries));
  return asked.map((one) => found.get(one) ?? noSuchResource());
}

async function metadataOfSeries(
  imaging: AuthorizedStudies,
  asked: readonly AskedAttributes[],
  share: Share,
  found: Found,
): Promise<void> {
  const byInstance = grouped(asked, ({ instanceUid }) => instanceUid);
  const selections = new Map([...byInstance].map(([uid, some]) => [uid, some.map(({ tags }) => tags)]));
  const { studyUid, seriesUid, instanceUid, base } = asked[0]!;
  const target = { studyUid, seriesUid, ...(byInstance.size === 1 && { instanceUid }) };
  const done = await share.semaphore.acquire();
  try {
    const encoded = await imaging.read(target, 'metadata', (study) => study.encodedMetadata(target));
    const pause = turns();
    const rows = await encoded.selected({ base, selections, maxBytes: share.bytes });
    for (const { sopInstanceUid, json } of rows) {
      await pause();
      if (json) share.bytes -= json.length;
      const values =
        json && share.bytes >= 0 ? (JSON.parse(utf8(json)) as (Record<string, unknown> | null)[]) : [];
      for (const [i, one] of byInstance.get(sopInstanceUid)!.entries())
        found.set(one, values[i] ?? tooMuchMetadata());
    }
  } finally {
    done();
  }
}

function tooMuchMetadata(): Fault {
  const message =
    'The metadata are too large for GraphQL; name the keywords, or retrieve them with DICOMweb.';
  return new Fault('too_large', message, { service: 'imaging' });
}

/** Returns each result or its error, as DataLoader expects; a failure does not affect the others. */
function settled<K, V>(keys: readonly K[], load: (key: K) => Promise<V | Error>): Promise<(V | Error)[]> {
  return Promise.all(
    keys.map((key) =>
      load(key).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    ),
  );
}
