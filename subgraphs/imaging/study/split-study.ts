import type { Access } from '../../../schema/access/access.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { uid } from '../dicom/dicom-text.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import type { Detail, StudyRecord } from './studies.ts';
import { areCopies, askEach, type StudyHolders } from './study-holders.ts';

const isNotFound = (error: unknown) => error instanceof Fault && error.code === 'not_found';

/** The studies of one request whose series lie in several archives (IA-35). All archives that it reads are authorized. */
export class SplitStudies {
  readonly #holders: StudyHolders;
  readonly #access: Access;

  constructor(holders: StudyHolders, access: Access) {
    this.#holders = holders;
    this.#access = access;
  }

  /** Adds the series of a study that only other archives have. */
  async whole(found: StudyRecord, detail: Detail | undefined): Promise<StudyRecord> {
    const studyUid = uid(found.study, Tag.StudyInstanceUID) ?? '';
    const [first, ...others] = await this.#holders.of(studyUid, 'r', 'lookupUntil');
    const different = others.filter((one) => !areCopies(first, one, this.#access));
    const answers = await askEach(
      different.map(({ source }) => source),
      (source) => source.study(studyUid, detail),
    );
    for (const { fault } of answers) if (fault) this.#holders.unanswered.add(fault);
    return withAllSeries([found, ...answers.flatMap(({ answer }) => answer ?? [])]);
  }

  /** Tells whether no archive has all series of a study. */
  async isSplit(studyUid: string): Promise<boolean> {
    const [first, ...others] = await this.#holders.of(studyUid, 'r', 'retrieveUntil');
    if (others.every((one) => areCopies(first, one, this.#access))) return false;
    const found = await first.source.study(studyUid, 'series').catch(() => undefined);
    return found !== undefined && ((await this.whole(found, 'series')).isSplit ?? false);
  }

  /**
   * Reads from an archive that has less of the study than the first one.
   * @param refused thrown if there is none
   */
  async elsewhere<T>(
    studyUid: string,
    get: (source: RestrictedStudies) => Promise<T>,
    refused: unknown,
  ): Promise<T> {
    const [, ...others] = await this.#holders.of(studyUid, 'r', 'retrieveUntil');
    for (const { source } of others) {
      try {
        return await get(source);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    throw refused;
  }
}

/**
 * Adds to a study the series that only other archives have of it.
 * @param records of the same study, that of the archive which has most of it first
 * @returns the first record, if the others have no other series; its instances are not compared
 */
export function withAllSeries([first, ...others]: readonly [StudyRecord, ...StudyRecord[]]): StudyRecord {
  const known = new Set(first.series.map(seriesOf));
  const series: DicomJson[] = [];
  const instances: DicomJson[] = [];
  for (const other of others) {
    const more = new Set(other.series.map(seriesOf).filter((one) => one !== undefined && !known.has(one)));
    const isMore = (row: DicomJson) => more.has(seriesOf(row));
    series.push(...other.series.filter(isMore));
    instances.push(...(other.instances ?? []).filter(isMore));
    for (const one of more) known.add(one);
  }
  if (series.length === 0) return first;
  // These numbers count one archive's part: those of the whole are made from the series.
  const {
    [Tag.NumberOfStudyRelatedSeries]: _series,
    [Tag.NumberOfStudyRelatedInstances]: _instances,
    ...study
  } = first.study;
  return Object.freeze({
    ...{ ...first, study, series: [...first.series, ...series], isSplit: true },
    ...(first.instances && { instances: [...first.instances, ...instances] }),
  });
}

const seriesOf = (row: DicomJson): string | undefined => uid(row, Tag.SeriesInstanceUID);

/** Refuses to retrieve a whole study of which each archive has only a part (IA-24). */
export function inSeveralArchives(): Fault {
  return new Fault(
    'not_implemented',
    'The series of this study lie in several archives: retrieve them one by one.',
    { service: 'imaging' },
  );
}
