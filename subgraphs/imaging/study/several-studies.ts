import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { logCrossed } from '../authorization/caller-reach.ts';
import { awaitFirstBytes, framesWithFailover, isSourceFailure } from './failover.ts';
import type { StudyQuery } from './study-query.ts';
import type { OpenStudy } from './open-study.ts';
import { RecordJoin } from './record/record-join.ts';
import type { RecordHalvesOptions } from './record/record-halves.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import type { InstanceTarget, Target } from '../sources/source.ts';
import { inSeveralArchives, SplitStudies, withAllSeries } from './split-study.ts';
import type { Detail, Imaging, SearchResult, StudyFilter, StudyList, StudyRecord } from './studies.ts';
import { areCopies, askEach, sizeOf, StudyHolders, type SeveralStudiesOptions } from './study-holders.ts';
import type { Reading, VersionedFrames } from './study-reader.ts';
import { byStudy, compareNewestFirst } from '../facts/study-rows.ts';

const isNotFound = (error: unknown) => error instanceof Fault && error.code === 'not_found';

/** Rows of one source. */
interface SourceRows {
  source: RestrictedStudies;
  rows: readonly DicomJson[];
}

/**
 * All image sources of a tenant as one (DW-18). Each source is restricted to the Access separately, and finds patients
 * in its own way. The decision of one source about a UID does not hold for another source.
 */
export class SeveralStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  readonly #sources: readonly RestrictedStudies[];
  readonly #options: SeveralStudiesOptions;
  readonly #holders: StudyHolders;
  readonly #join: RecordJoin;
  readonly #split: SplitStudies;
  readonly #turns = new LoopTurns();
  #replaced = false;
  /** True if this request has given a list. The first list does not wait for a turn of the event loop. */
  #hasListed = false;

  constructor(sources: readonly RestrictedStudies[], options: SeveralStudiesOptions & RecordHalvesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.#sources = sources;
    this.#options = options;
    this.#holders = new StudyHolders(sources, options);
    this.#split = new SplitStudies(this.#holders, this.access);
    const list = (...asked: Parameters<Imaging['studiesOf']>) => this.studiesOf(...asked);
    const study = (...asked: Parameters<Imaging['study']>) => this.study(...asked);
    this.#join = new RecordJoin({ sources, list, study }, options);
  }

  get sourceFaults(): readonly Fault[] {
    const faults = [...this.#holders.unanswered, ...this.#join.faults];
    // A source that fails is asked more than once: for a study, and for all studies with its accession number.
    const key = ({ code, message }: Fault) => `${code} ${message}`;
    const keys = faults.map(key);
    return faults.filter((fault, index) => keys.indexOf(key(fault)) === index);
  }

  get usedCopy(): boolean {
    return this.#replaced;
  }

  async search(query: StudyQuery): Promise<SearchResult> {
    const { studyUid, limit, offset = 0, ...unpaged } = query;
    if (studyUid !== undefined)
      return this.#from(studyUid, (source) => source.search(query), 's', 'lookupUntil');
    if (this.#sources.length === 1) {
      const found = await this.#sources[0]!.search(query);
      const { rows, failed } = await this.#uncrossed(found.rows, []);
      return { ...found, rows, ...(failed.length > 0 && { failed }) };
    }
    const end = limit === undefined ? undefined : offset + limit;
    const { answers, rows, failed } = await this.#firstRows(unpaged, end);
    const more = end !== undefined && (rows.length > end || answers.some(({ answer }) => answer.more));
    const patients = [...new Set(answers.flatMap(({ answer }) => answer.patients ?? []))];
    const page = rows.slice(offset, end);
    return {
      rows: query.level === 'study' ? page.map((row) => this.#asSeen(row, answers)) : page,
      ...{ more, failed },
      ...(this.access.patients !== 'all' && { patients }),
    };
  }

  /**
   * Reads the first rows of all sources. Studies that two sources have are counted once, which is known only after
   * reading them.
   */
  async #firstRows(query: StudyQuery, end: number | undefined) {
    for (let limit = end; ;) {
      const { answers, failed } = await this.#ofAll((source) =>
        source.search({ ...query, ...(limit !== undefined && { limit }) }),
      );
      const lists = answers.map(({ source, answer }) => ({ source, rows: answer.rows }));
      const merged = await this.#merged(lists, query.level);
      const checked = await this.#uncrossed(merged, failed);
      // Each row that is left out makes room for another row, which must have been read.
      const wanted = end === undefined ? 0 : end + merged.length - checked.rows.length;
      if (limit === undefined || limit >= wanted || !answers.some(({ answer }) => answer.more))
        return { answers, ...checked };
      limit = wanted;
    }
  }

  async prefetch(patientIds: readonly string[]): Promise<void> {
    // What a source does not answer now is asked and reported by `studiesOf`.
    const ofArchives = this.#sources.map((source) => source.prefetch(patientIds));
    await Promise.allSettled([...ofArchives, this.#join.prefetch(patientIds)]);
  }

  studiesOf(patientId: string | undefined, filter?: StudyFilter): Awaitable<StudyList> {
    if (this.#hasListed) return this.#turns.next().then(() => this.#listed(patientId, filter));
    this.#hasListed = true;
    return this.#listed(patientId, filter);
  }

  #listed(patientId: string | undefined, filter: StudyFilter | undefined): Awaitable<StudyList> {
    const only = this.#sources.length === 1 ? this.#sources[0]! : undefined;
    // There is nothing to merge and no study to leave out: the list stays the one that is kept with its rows.
    if (only?.hasEachUidOnce && !only.lookup.mayWithhold)
      return andThen(only.studiesOf(patientId, filter), (records) => ({ records, failed: [] }));
    return this.#mergedList(patientId, filter);
  }

  async #mergedList(patientId: string | undefined, filter: StudyFilter | undefined): Promise<StudyList> {
    const { answers, failed } = await this.#ofAll((source) => source.studiesOf(patientId, filter));
    const records = new Map<string, [StudyRecord, ...StudyRecord[]]>();
    for (const { source, answer } of answers) {
      for (const record of answer) {
        const uid = text(record.study, Tag.StudyInstanceUID) ?? '';
        this.#holders.note(source, uid, sizeOf(record.study));
        const known = records.get(uid);
        if (!known) records.set(uid, [record]);
        else if (sizeOf(record.study) > sizeOf(known[0].study)) known.unshift(record);
        else known.push(record);
      }
    }
    for (const source of this.#sources) for (const uid of source.lookup.withheld) records.delete(uid);
    const studies = [...records.values()].map(withAllSeries);
    const checked = await this.#uncrossed(
      studies.map(({ study }) => study),
      failed,
    );
    for (const fault of checked.failed) this.#holders.unanswered.add(fault);
    const shown = new Set(checked.rows);
    return {
      records: studies
        .filter(({ study }) => shown.has(study))
        .map((record) => {
          const study = this.#asSeen(record.study, answers);
          return study === record.study ? record : { ...record, study };
        })
        .sort(compareNewestFirst),
      failed: checked.failed,
    };
  }

  async study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined> {
    await this.#turns.next();
    try {
      const found = await this.#from(
        studyUid,
        (source) => source.study(studyUid, detail),
        'r',
        'lookupUntil',
      );
      return found && detail !== 'study' ? await this.#split.whole(found, detail) : found;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  joinedStudiesOf(patientId: string | undefined, filter: StudyFilter = {}): Awaitable<StudyList> {
    return this.#join.list(patientId, filter);
  }

  joinedStudy(id: string, detail?: Detail) {
    return this.#join.study(id, detail);
  }

  patientById(id: string): string {
    return requirePatient(this.access, id).id;
  }

  patientByIdentifier(value: string, system?: string): Promise<string> {
    return this.#sources[0]!.patientByIdentifier(value, system);
  }

  metadata(target: InstanceTarget) {
    return this.#opened(target, (study) => study.metadata(target));
  }

  encodedMetadata(target: Target) {
    return this.#opened(target, (study) => study.encodedMetadata(target));
  }

  async retrieve(target: Target, transferSyntax: string) {
    return this.#ofTarget(target, async (source, others) => {
      const study = await source.open(target.studyUid);
      const instances = await study.retrieve(target, transferSyntax);
      return others.length > 0 ? awaitFirstBytes(instances) : instances;
    });
  }

  async relay(target: Target, transferSyntax: string) {
    return this.#opened(target, (study) => study.relay(target, transferSyntax));
  }

  async frames(target: InstanceTarget, numbers: readonly number[]) {
    const get = async (source: RestrictedStudies): Promise<VersionedFrames> =>
      (await source.open(target.studyUid)).frames(target, numbers);
    return this.#ofTarget(target, async (source, others) => {
      const given = await get(source);
      if (others.length === 0) return given;
      const other = (): Promise<VersionedFrames> => {
        this.#replaced = true;
        return this.#first(others, get);
      };
      return { ...given, frames: framesWithFailover(given, other) };
    });
  }

  bulkdata(target: InstanceTarget, path: string) {
    return this.#opened(target, (study) => study.bulkdata(target, path));
  }

  version(target: Target) {
    return this.#opened(target, (study) => study.version(target));
  }

  reading<T>(_target: Target, _part: string, work: (core: Reading) => Promise<T>): Promise<T> {
    return work(this);
  }

  #opened<T>(target: Target, get: (study: OpenStudy) => Promise<T>): Promise<T> {
    return this.#ofTarget(target, async (source) => get(await source.open(target.studyUid)));
  }

  /**
   * Reads a target from the source that has most of its study, or a series from the source that has it.
   * @throws Fault `not_implemented` for a whole study of which no source has all series
   */
  async #ofTarget<T>(
    { studyUid, seriesUid }: Target,
    get: (source: RestrictedStudies, others: readonly RestrictedStudies[]) => Promise<T>,
  ): Promise<T> {
    if (seriesUid === undefined && (await this.#split.isSplit(studyUid))) throw inSeveralArchives();
    return this.#from(studyUid, get).catch((error: unknown) => {
      if (seriesUid === undefined || !isNotFound(error)) throw error;
      return this.#split.elsewhere(studyUid, (source) => get(source, []), error);
    });
  }

  /**
   * Reads from the source that has most of a study. If that fails before it gives anything, reads from another source
   * that has as much (DW-27).
   * @param get reads from a source; it is also given the sources that are left
   */
  async #from<T>(
    studyUid: string,
    get: (source: RestrictedStudies, others: readonly RestrictedStudies[]) => Promise<T>,
    interaction: 'r' | 's' = 'r',
    delay: 'lookupUntil' | 'retrieveUntil' = 'retrieveUntil',
  ): Promise<T> {
    const [first, ...rest] = await this.#holders.of(studyUid, interaction, delay);
    const copies = rest.filter((one) => areCopies(first, one, this.access));
    return this.#first(
      [first, ...copies].map(({ source }) => source),
      get,
    );
  }

  /**
   * Tries sources in order.
   * @throws the error of the first if all fail
   */
  async #first<T>(
    [source, ...others]: readonly RestrictedStudies[],
    get: (source: RestrictedStudies, others: readonly RestrictedStudies[]) => Promise<T>,
  ): Promise<T> {
    try {
      return await get(source!, others);
    } catch (error) {
      if (others.length === 0 || !isSourceFailure(error)) throw error;
      const { tenant, log } = this.#options;
      logFault(log, error, { tenant: tenant.key }, 'an image source failed; another is tried');
      this.#replaced = true;
      return this.#first(others, get).catch((next: unknown) => {
        // An object that the copy lacks may be in the source that failed.
        throw isSourceFailure(next) || isNotFound(next) ? error : next;
      });
    }
  }

  /** Asks every source. Failures are logged here, because the answer of the others goes out without a fault. */
  async #ofAll<T>(ask: (source: RestrictedStudies) => Awaitable<T>) {
    const asked = await askEach(this.#sources, ask);
    const faults = asked.flatMap(({ fault }) => fault ?? []);
    // A PatientID that is out of reach in one source may be the caller's in another.
    const failed = faults.filter(({ code }) => code !== 'forbidden');
    const answers = asked.flatMap(({ source, answer }) => (answer === undefined ? [] : [{ source, answer }]));
    if (answers.length === 0) throw failed[0] ?? faults[0]!;
    const { tenant, log } = this.#options;
    for (const fault of failed)
      logFault(log, fault, { tenant: tenant.key }, 'an image source did not answer');
    return { answers, failed };
  }

  /**
   * Drops rows of studies whose UID some source also has for another patient: such a study cannot be retrieved, so it
   * is not listed.
   * @param failed faults of sources so far
   */
  async #uncrossed(rows: readonly DicomJson[], failed: readonly Fault[]) {
    const uids = [...byStudy(rows).keys()].filter((uid) => uid !== '');
    const asked = this.#sources.filter((source) => this.#sources.length > 1 || !source.hasEachUidOnce);
    const answers = await askEach(asked, (source) => source.lookup.crossed(uids));
    const crossed = new Set(answers.flatMap(({ answer = [] }) => [...answer]));
    for (const uid of crossed) logCrossed(this.#options, uid);
    const faults = answers.flatMap(({ fault }) => fault ?? []);
    return {
      rows: rows.filter((row) => !crossed.has(text(row, Tag.StudyInstanceUID) ?? '')),
      // A source that failed before fails here again; it is reported once.
      failed: faults.length > failed.length ? faults : failed,
    };
  }

  /**
   * Raises a study's number of instances to the last number known of sources that do not answer now: a failure makes no
   * study smaller.
   */
  #asSeen(study: DicomJson, answers: readonly { source: RestrictedStudies }[]): DicomJson {
    const silent = this.#sources.filter((one) => !answers.some(({ source }) => source === one));
    if (silent.length === 0) return study;
    const most = this.#holders.mostSeen(silent, text(study, Tag.StudyInstanceUID) ?? '');
    if (most <= sizeOf(study)) return study;
    return { ...study, [Tag.NumberOfStudyRelatedInstances]: { vr: 'IS', Value: [most] } };
  }

  /** Merges the rows of all sources; takes each study from one source. */
  async #merged(lists: readonly SourceRows[], level: StudyQuery['level']): Promise<DicomJson[]> {
    const studies = lists.map(({ source, rows }) => ({ source, studies: byStudy(rows) }));
    const given = new Map<string, readonly DicomJson[]>();
    for (const uid of studies.flatMap((list) => [...list.studies.keys()])) {
      if (given.has(uid)) continue;
      const having = studies.filter((list) => list.studies.has(uid));
      const rowsOf = (list: (typeof having)[number]) => list.studies.get(uid)!;
      if (level === 'study')
        for (const list of having) this.#holders.note(list.source, uid, sizeOf(rowsOf(list)[0]!));
      if (having.length === 1) given.set(uid, rowsOf(having[0]!));
      else if (level === 'study') {
        const rows = having.map(rowsOf);
        given.set(
          uid,
          rows.reduce((most, one) => (sizeOf(one[0]!) > sizeOf(most[0]!) ? one : most)),
        );
      } else {
        // Rows of series and instances do not say how large their study is.
        const holders = await this.#holders.of(uid, 's', 'lookupUntil').catch(() => []);
        const list = having.find(({ source }) => source === holders[0]?.source);
        given.set(uid, list ? rowsOf(list) : []);
      }
    }
    for (const source of this.#sources) for (const uid of source.lookup.withheld) given.delete(uid);
    return [...given.values()].flat();
  }
}
