import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { toFault, type Fault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { logCrossed } from '../authorization/caller-reach.ts';
import { byStudy, compareNewestFirst, grouped } from '../facts/study-rows.ts';
import { countsOf, instancesOf, partsOf, unionOf } from './contents.ts';
import type { Failover } from './failover.ts';
import { mergedRecord, mergedRows, mergedStudyRow } from './merged-rows.ts';
import type { CallerArchive } from './caller-archive.ts';
import type {
  SearchResult,
  StudyFilter,
  StudyList,
  StudyQuery,
  StudyRecord,
  WantedPatients,
} from './study-records.ts';
import {
  askEach,
  sizeOf,
  type Answer,
  type Holder,
  type StudyHoldersOptions,
  type StudyHolders,
} from './study-holders.ts';

/** Rows of one source. */
interface SourceRows {
  source: CallerArchive;
  rows: readonly DicomJson[];
}

/** The sources of a tenant, as one request asks them. */
interface Sources {
  sources: readonly CallerArchive[];
  holders: StudyHolders;
  failover: Failover;
}

/**
 * Searches and lists of all image sources of a tenant (DW-18): each study once, with what all sources have of it. A source that
 * fails hides no study of the others.
 */
export class MergedLists {
  readonly #sources: readonly CallerArchive[];
  readonly #holders: StudyHolders;
  readonly #failover: Failover;
  readonly #options: StudyHoldersOptions;

  constructor({ sources, holders, failover }: Sources, options: StudyHoldersOptions) {
    this.#sources = sources;
    this.#holders = holders;
    this.#failover = failover;
    this.#options = options;
  }

  /** See `AuthorizedStudies.search`. */
  async search(query: StudyQuery): Promise<SearchResult> {
    const { studyUid, limit, offset = 0, ...unpaged } = query;
    if (studyUid !== undefined) return this.#searchStudy(studyUid, query);
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
      ...(query.level === 'study' ? await this.#counted(page, answers, failed) : { rows: page, failed }),
      more,
      ...(this.#options.access.patients !== 'all' && { patients }),
    };
  }

  /** Searches the series or instances of one study; once more by new lists if a source does not give what it lists. */
  async #searchStudy(studyUid: string, query: StudyQuery): Promise<SearchResult> {
    const found = await this.#searchHoldings(studyUid, query);
    if (found.isWhole) return found.result;
    this.#holders.doubt(studyUid);
    return (await this.#searchHoldings(studyUid, query)).result;
  }

  /** @returns `isWhole`: false if there are fewer instances than are listed */
  async #searchHoldings(
    studyUid: string,
    query: StudyQuery,
  ): Promise<{ result: SearchResult; isWhole: boolean }> {
    const holdings = await this.#holders.of(studyUid, 's', 'lookupUntil');
    const parts = holdings.length > 1 ? partsOf({ studyUid }, holdings) : [];
    const [part = { sources: holdings.map(({ source }) => source) }] = parts;
    const { level, limit, offset = 0, ...rest } = query;
    const union = unionOf(holdings.map(({ contents }) => contents));
    const isAll = level === 'instance' && rest.match.size === 0;
    const listed = isAll ? instancesOf({ ...rest, studyUid }, union).length : 0;
    if (parts.length < 2 || level === 'study') {
      const result = await this.#failover.first(part.sources, (one) => one.search(query));
      return { result, isWhole: limit !== undefined || offset > 0 || result.rows.length >= listed };
    }
    const givers = [...new Set(parts.map(({ sources }) => sources[0]))];
    const answers = await Promise.all(
      givers.map(async (source) => ({ source, answer: await source.search({ level, ...rest }) })),
    );
    const lists = answers.map(({ source, answer }) => ({ source, rows: answer.rows }));
    const rows = mergedRows(lists, level, { holdings, counts: countsOf(union) });
    const end = limit === undefined ? undefined : offset + limit;
    const page = { rows: rows.slice(offset, end), more: end !== undefined && rows.length > end };
    return { result: { ...answers[0]!.answer, ...page }, isWhole: rows.length >= listed };
  }

  /** Gives the rows of studies the numbers of what all sources have of them. */
  async #counted(
    page: readonly DicomJson[],
    answers: readonly { source: CallerArchive }[],
    failed: readonly Fault[],
  ): Promise<{ rows: DicomJson[]; failed: readonly Fault[] }> {
    const answering = answers.map(({ source }) => source);
    const uids = page.map((row) => text(row, Tag.StudyInstanceUID) ?? '');
    const { holders, silent } = await this.#heldOf(uids, answering);
    const faults = silent.flatMap(({ source, fault }) => (answering.includes(source) ? fault! : []));
    const away = silent.map(({ source }) => source);
    const rows = page.map(async (row, index) => {
      const held = this.#holders.ofOnePatient(holders.get(uids[index]!) ?? []);
      const having = held.length > 0 ? held : [{ source: answering[0]!, row }];
      try {
        const counts = await this.#holders.counts(uids[index]!, having, away);
        return counts ? mergedStudyRow([row, ...having.map((one) => one.row)], counts) : row;
      } catch (error) {
        faults.push(toFault(error));
        return row;
      }
    });
    return { rows: await Promise.all(rows), failed: [...failed, ...faults] };
  }

  /** Finds which of the sources that answer have these studies for this caller, each in the order of the tenant. */
  async #heldOf(studyUids: readonly string[], answering: readonly CallerArchive[]) {
    const answers = await askEach(answering, (source) => source.decision.held(studyUids));
    const held = answers.flatMap(({ source, answer = [] }) =>
      [...answer].map(([uid, row]): [string, Holder] => [uid, { source, row }]),
    );
    for (const [uid, { source, row }] of held) this.#holders.note(source, uid, sizeOf(row));
    const holders = new Map(
      [...grouped(held, ([uid]) => uid)].map(([uid, having]) => [uid, having.map(([, holder]) => holder)]),
    );
    const away = this.#sources
      .filter((one) => !answering.includes(one))
      .map((source): Answer<never> => ({ source }));
    return { holders, silent: [...answers.filter(({ fault }) => fault), ...away] };
  }

  /**
   * Reads the first rows of all sources. Studies that two sources have are counted once, which is known only after
   * reading them.
   */
  async #firstRows(query: StudyQuery, end: number | undefined) {
    for (let limit = end; ;) {
      const { answers, failed } = await this.#ofAll((source) => source.search({ ...query, limit }));
      const lists = answers.map(({ source, answer }) => ({ source, rows: answer.rows }));
      const { rows: merged, faults } = await this.#merged(lists, query.level);
      const checked = await this.#uncrossed(merged, [...failed, ...faults]);
      // Each row that is left out makes room for another row, which must have been read.
      const wanted = end === undefined ? 0 : end + merged.length - checked.rows.length;
      if (limit === undefined || limit >= wanted || !answers.some(({ answer }) => answer.more))
        return { answers, ...checked };
      limit = wanted;
    }
  }

  /** See `AuthorizedStudies.list`. */
  async studiesOf(patients: WantedPatients, filter: StudyFilter | undefined): Promise<StudyList> {
    const { answers, failed } = await this.#ofAll(async (source) => source.studiesOf(patients, filter));
    const given = answers.flatMap(({ source, answer }) =>
      answer.map((record) => ({ holder: { source, row: record.study }, record })),
    );
    const found = grouped(given, ({ record }) => text(record.study, Tag.StudyInstanceUID));
    for (const [uid, having] of found)
      for (const { holder } of having) this.#holders.note(holder.source, uid, sizeOf(holder.row));
    for (const source of this.#sources) for (const uid of source.decision.withheld) found.delete(uid);
    const silent = this.#sources.filter((one) => !answers.some(({ source }) => source === one));
    const faults: Fault[] = [];
    const merging = [...found].map(async ([uid, having]) => {
      const holders = this.#holders.ofOnePatient(having.map(({ holder }) => holder));
      const records = having.flatMap(({ holder, record }) => (holders.includes(holder) ? [record] : []));
      const counts = await this.#holders.counts(uid, holders, silent).catch((error: unknown) => {
        faults.push(toFault(error));
        return undefined;
      });
      return mergedRecord(records as [StudyRecord, ...StudyRecord[]], counts);
    });
    const studies = await Promise.all(merging);
    const checked = await this.#uncrossed(
      studies.map(({ study }) => study),
      [...failed, ...faults],
    );
    for (const fault of checked.failed) this.#holders.unanswered.add(fault);
    const shown = new Set(checked.rows);
    return {
      records: studies.filter(({ study }) => shown.has(study)).sort(compareNewestFirst),
      failed: checked.failed,
    };
  }

  /** Asks every source. Failures are logged here, because the answer of the others goes out without a fault. */
  async #ofAll<T>(ask: (source: CallerArchive) => Promise<T>) {
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
    const answers = await askEach(asked, (source) => source.decision.crossed(uids));
    const crossed = new Set(answers.flatMap(({ answer = [] }) => [...answer]));
    for (const uid of crossed) logCrossed(this.#options, uid);
    const faults = answers.flatMap(({ fault }) => fault ?? []);
    return {
      rows: rows.filter((row) => !crossed.has(text(row, Tag.StudyInstanceUID) ?? '')),
      // A source that failed before fails here again; it is reported once.
      failed: faults.length > failed.length ? faults : failed,
    };
  }

  /** Merges the rows of all sources: of studies, the first row of each; of series and instances, those of the union. */
  async #merged(
    lists: readonly SourceRows[],
    level: StudyQuery['level'],
  ): Promise<{ rows: DicomJson[]; faults: Fault[] }> {
    const studies = lists.map(({ source, rows }) => ({ source, studies: byStudy(rows) }));
    const uids = [...new Set(studies.flatMap((list) => [...list.studies.keys()]))];
    const answering = lists.map(({ source }) => source);
    const named = uids.filter((uid) => uid !== '');
    const held = level === 'study' ? undefined : await this.#heldOf(named, answering);
    const faults = held?.silent.flatMap(({ fault }) => fault ?? []) ?? [];
    const merging = uids.map(async (uid) => {
      const found = studies.flatMap(({ source, studies: own }) => {
        const rows = own.get(uid);
        return rows ? [{ source, rows }] : [];
      });
      const holders = this.#holders.ofOnePatient(held?.holders.get(uid) ?? []);
      if (level === 'study' || holders.length < 2) return [uid, found[0]!.rows] as const;
      const { holdings, failed } = await this.#holders.compared(uid, holders);
      faults.push(...failed.flatMap(({ fault }) => fault ?? []));
      const counts = countsOf(unionOf(holdings.map(({ contents }) => contents)));
      return [uid, mergedRows(found, level, { holdings, counts })] as const;
    });
    const given = new Map(await Promise.all(merging));
    for (const source of this.#sources) for (const uid of source.decision.withheld) given.delete(uid);
    return { rows: [...given.values()].flat(), faults };
  }
}
