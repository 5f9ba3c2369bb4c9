import type { Access } from '../../../schema/access/access.ts';
import { number, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { logFault, type FaultLog } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { logCrossed } from '../authorization/caller-reach.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { CallerArchive } from './caller-archive.ts';
import { isOfPatient, statedPatient } from '../facts/stated-patient.ts';
import {
  contentsOf,
  countsOf,
  differing,
  isWithin,
  unionOf,
  type Contents,
  type Counts,
  type Holding,
} from './contents.ts';
import type { SeenStudies, Sized } from './seen-studies.ts';

export interface StudyHoldersOptions {
  tenant: Tenant;
  access: Access;
  seenStudies: SeenStudies;
  log: FaultLog;
}

/** A source that has a study which the caller may see, and the study's row there. */
export interface Holder {
  source: CallerArchive;
  row: DicomJson;
}

export interface Answer<T> {
  source: CallerArchive;
  answer?: T;
  fault?: Fault;
}

type Delay = 'lookupUntil' | 'retrieveUntil';
type Holdings = readonly [Holding<CallerArchive>, ...Holding<CallerArchive>[]];

const NOT_COMPARED: Contents = new Map();
/** Milliseconds after the answer of another source until a silent one is probed. */
const LATE = 900;

/** Finds which sources of a tenant have a study, and what each has of it, for one request (DW-18, DW-27). */
export class StudyHolders {
  /** Faults of sources that did not answer for studies that others have. */
  readonly unanswered = new Set<Fault>();
  readonly #sources: readonly CallerArchive[];
  readonly #options: StudyHoldersOptions;
  readonly #found = new Map<string, Promise<Holdings>>();

  constructor(sources: readonly CallerArchive[], options: StudyHoldersOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /**
   * Returns the sources that have a study, in the order of the tenant, with their contents if they are several. Each
   * source checks again what it then gives.
   * @throws Fault `not_found` if none has it for this caller, or one has it of another patient: no caller gets a UID of
   *   two patients (IA-24); the fault of a source, if no other source could answer for it; `unavailable` if a source
   *   that failed had instances that the others do not have, or may have had
   */
  of(studyUid: string, interaction: 'r' | 's', delay: Delay): Promise<Holdings> {
    const [only, ...others] = this.#sources;
    // The only source makes the same checks with the same refusals when it gives the study.
    if (only && others.length === 0) return Promise.resolve([{ source: only, contents: NOT_COMPARED }]);
    const question = [studyUid, interaction, delay].join('\n');
    let finding = this.#found.get(question);
    if (!finding) this.#found.set(question, (finding = this.#find(studyUid, interaction, delay)));
    return finding;
  }

  /** Asks every source anew what it has of a study: one has not given what it lists. */
  doubt(studyUid: string): void {
    for (const { key, decision } of this.#sources) {
      decision.doubt(studyUid);
      this.#options.seenStudies.forgetContents(key, studyUid);
    }
    for (const question of this.#found.keys())
      if (question.startsWith(`${studyUid}\n`)) this.#found.delete(question);
  }

  async #find(studyUid: string, interaction: 'r' | 's', delay: Delay): Promise<Holdings> {
    const claims = await this.#claims(studyUid, interaction, delay);
    const having = claims.flatMap(({ source, answer }): Holder[] =>
      typeof answer === 'object' ? [{ source, row: answer }] : [],
    );
    const says = (word: string) => claims.some(({ answer }) => answer === word);
    const mixed = having.length > 0 && says('foreign');
    if (mixed) logCrossed(this.#options, studyUid);
    const own = this.ofOnePatient(having);
    if (own.length === 0 || mixed || says('withheld'))
      throw claims.find(({ fault }) => fault)?.fault ?? noSuchObject();
    const { seenStudies } = this.#options;
    for (const { source, answer } of claims) {
      // A study that only this caller's scopes leave out is there for other callers.
      if (answer === 'absent') seenStudies.noteAbsent(source.key, studyUid);
    }
    // A PatientID that is out of reach in one source may be the caller's in another.
    const silent = claims.filter(({ fault }) => fault && fault.code !== 'forbidden');
    const isAlone = own.length === 1 && silent.every(({ source }) => !seenStudies.size(source.key, studyUid));
    const { holdings, failed } = isAlone
      ? { holdings: [{ source: own[0]!.source, contents: NOT_COMPARED }], failed: [] }
      : await this.compared(studyUid, own);
    const [first, ...rest] = holdings;
    if (!first) throw failed[0]!.fault!;
    const missed = [...silent, ...failed];
    if (missed.length > 0) this.#reportMissed(studyUid, holdings, missed);
    return [first, ...rest];
  }

  /** Keeps the holders of the study of one patient, the first one's: those of another patient have another study. */
  ofOnePatient(holders: readonly Holder[]): readonly Holder[] {
    const [first] = holders;
    if (!first) return [];
    return holders.filter((one) => one === first || isOfSamePatient(first, one, this.#options.access));
  }

  /** Reads what each holder has of a study. */
  async compared(
    studyUid: string,
    holders: readonly Holder[],
  ): Promise<{ holdings: Holding<CallerArchive>[]; failed: Answer<Contents>[] }> {
    const { seenStudies, tenant, log } = this.#options;
    let isRead = false;
    const answers = await askEach(
      holders.map(({ source }) => source),
      async (source) => {
        const { row } = holders.find((one) => one.source === source)!;
        const sized = { key: source.key, size: sizeOf(row) };
        const kept = seenStudies.contents(sized, studyUid);
        if (kept) return kept;
        isRead = true;
        const contents = contentsOf(await source.instancesOf(studyUid, sized.size));
        seenStudies.keepContents(sized, studyUid, contents);
        return contents;
      },
    );
    const holdings = answers.flatMap(({ source, answer }) => (answer ? [{ source, contents: answer }] : []));
    const different = isRead ? differing(holdings) : [];
    if (different.length > 0)
      log.warn(
        { tenant: tenant.key, studyUid, instances: different.slice(0, 10), count: different.length },
        'objects with one UID differ between image sources; the first source gives them',
      );
    return { holdings, failed: answers.filter(({ fault }) => fault) };
  }

  /**
   * Counts the instances of a study in all sources: those that have it, and those that do not answer now but had it before.
   * @param holders the answers of a list
   * @returns undefined if one source has it, whose row is right
   * @throws the fault of a source that does not tell its instances
   */
  async counts(
    studyUid: string,
    holders: readonly Holder[],
    silent: readonly CallerArchive[],
  ): Promise<Counts | undefined> {
    const { seenStudies } = this.#options;
    const answering = holders.map(({ source, row }): Sized => ({ key: source.key, size: sizeOf(row) }));
    const before = silent
      .map(({ key }): Sized => ({ key, size: seenStudies.size(key, studyUid) }))
      .filter(({ size }) => size > 0);
    const all = [...answering, ...before];
    if (all.length < 2) return undefined;
    const known = seenStudies.union(studyUid, all, before.length > 0 ? 'any' : 'fresh');
    if (known) return known;
    const { holdings, failed } = await this.compared(studyUid, holders);
    if (failed.length > 0) throw failed[0]!.fault!;
    const last = before.map(({ key }) => seenStudies.lastContents(key, studyUid) ?? NOT_COMPARED);
    const counts = countsOf(unionOf([...holdings.map(({ contents }) => contents), ...last]));
    if (before.length === 0) seenStudies.keepUnion(studyUid, all, counts);
    return { ...counts, instances: Math.max(counts.instances, ...before.map(({ size }) => size)) };
  }

  /** Remembers the size of a study that a source reports. */
  note(source: CallerArchive, studyUid: string, size: number): void {
    if (this.#sources.length > 1) this.#options.seenStudies.note(source.key, studyUid, size);
  }

  async #claims(studyUid: string, interaction: 'r' | 's', delay: Delay) {
    const { seenStudies } = this.#options;
    const likely = this.#sources.filter(({ key }) => !seenStudies.isAbsent(key, studyUid));
    // A source is skipped only if the others are remembered to have the study for this caller: before a refusal all are
    // asked (IA-7).
    const known = await askEach(likely, (source) => source.decision.remembered(studyUid, interaction));
    const passes = likely.length > 0 && known.every(({ answer }) => answer !== undefined);
    const asked = passes ? likely : this.#sources;
    const claims = await askEach(asked, (source) => source.decision.find(studyUid, interaction, delay));
    for (const { source, answer } of claims) {
      // A study that this caller may not have says nothing about its size for others.
      if (typeof answer === 'object') this.note(source, studyUid, sizeOf(answer));
      else if (answer === 'absent') seenStudies.forgetSize(source.key, studyUid);
    }
    return claims;
  }

  /**
   * Reports sources that failed.
   * @throws Fault `unavailable` if one had, or may have had, instances that the others do not have
   */
  #reportMissed(
    studyUid: string,
    holdings: readonly Holding<CallerArchive>[],
    missed: readonly Answer<unknown>[],
  ): void {
    const { tenant, log, seenStudies } = this.#options;
    const union = unionOf(holdings.map(({ contents }) => contents));
    const sized = ({ key }: CallerArchive): Sized => ({ key, size: seenStudies.size(key, studyUid) });
    const present = holdings.map(({ source }) => sized(source));
    for (const { source, fault } of missed) {
      logFault(log, fault!, { tenant: tenant.key, studyUid }, 'an image source did not answer');
      this.unanswered.add(fault!);
      const absent = sized(source);
      if (absent.size === 0) continue;
      const last = seenStudies.lastContents(source.key, studyUid);
      const counts = seenStudies.union(studyUid, [...present, absent], 'any');
      if (last ? isWithin(last, union) : counts?.instances === union.size) continue;
      const message = 'A source that has a part of this study does not answer; ask again later.';
      const { retryAfter = 5 } = fault!.details;
      throw new Fault('unavailable', message, { service: 'imaging', retryAfter, cause: fault });
    }
  }
}

/** Tells whether two sources have a study of one patient, who may have a different PatientID in each. */
function isOfSamePatient(one: Holder, other: Holder, { patients }: Access): boolean {
  if (patients !== 'all' && patients.length === 1) return true;
  const [first, second] = [statedPatient(one.row), statedPatient(other.row)];
  return isOfPatient(first, second) || isOfPatient(second, first);
}

/**
 * Asks every source; returns the answer or the fault of each. After the first answer, a source has 0.9 s before it is probed:
 * who asks several does not wait the whole `patience` for one that hangs.
 */
export async function askEach<T>(
  sources: readonly CallerArchive[],
  ask: (source: CallerArchive) => Promise<T>,
): Promise<Answer<T>[]> {
  const silent = new Set(sources);
  let timer: NodeJS.Timeout | undefined;
  const late = () => silent.forEach((source) => source.late());
  const asking = sources.map(async (source): Promise<Answer<T>> => {
    try {
      const answer = await ask(source);
      timer ??= sources.length > 1 ? setTimeout(late, LATE) : undefined;
      return { source, answer };
    } catch (error) {
      return { source, fault: toFault(error) };
    } finally {
      silent.delete(source);
    }
  });
  const answers = await Promise.all(asking);
  clearTimeout(timer);
  return answers;
}

/** Returns the number of instances that a study's row states; 0 if it states none. */
export function sizeOf(study: DicomJson): number {
  return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
}
