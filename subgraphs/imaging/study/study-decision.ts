import type { Access } from '../../../schema/access/access.ts';
import { requireScope, type Coverage } from '../../../schema/access/scopes.ts';
import { Tag, text, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { CallerReach } from '../authorization/caller-reach.ts';
import { coveredBy, type Reach } from '../authorization/ownership.ts';
import { Withholding, type WithholdingOptions } from '../authorization/withholding.ts';
import { OWNER_TTL } from '../cache/study-cache.ts';
import type { SourceQuery } from '../sources/source.ts';
import type { CacheLevel, TenantSource } from '../cache/tenant-source.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { byStudy, chunked } from '../facts/study-rows.ts';

/**
 * The result of looking up a UID in one source: the study's row; no study; a study of a patient out of reach; one that
 * the caller's scopes do not cover; or one that the tenant withholds.
 */
export type LookupResult = DicomJson | 'absent' | 'foreign' | 'uncovered' | 'withheld';

/** See `StudyDecision.standing`. */
export type Standing = 'absent' | 'hidden' | 'foreign' | 'visible';

/**
 * Decides whether a caller may have a study of one source, by its UID (IA-6 to IA-9, IA-24, IA-31), and which studies
 * of a list are withheld. Nothing else decides this.
 */
export class StudyDecision {
  /** UIDs of studies that this request has found and that are withheld (IA-31). */
  readonly withheld = new Set<string>();
  /** Accession numbers of these studies. */
  readonly withheldAccessions = new Set<string>();
  readonly #access: Access;
  readonly #source: TenantSource;
  readonly #caller: CallerReach;
  readonly #withholding: Withholding;
  readonly #decisions = new Map<string, Promise<LookupResult>>();
  /** Rows of all studies with a UID, which this request has read for several patients. */
  readonly #byUid = new Map<string, readonly DicomJson[]>();

  constructor(options: WithholdingOptions, source: TenantSource, caller: CallerReach) {
    this.#access = options.access;
    this.#source = source;
    this.#caller = caller;
    this.#withholding = new Withholding(options, source.key, (studyUids) => this.#seriesOf(studyUids));
  }

  /** True if any study may be withheld from this caller. */
  get mayWithhold(): boolean {
    return this.#withholding.applies;
  }

  /**
   * Looks up a study by its UID alone. If two patients' studies have the same UID, retrieving by it would mix them, so
   * both must be the caller's (IA-24).
   * @param delay the tenant's delay that applies
   */
  async find(
    studyUid: string,
    interaction: 'r' | 's',
    delay: 'lookupUntil' | 'retrieveUntil',
  ): Promise<LookupResult> {
    const coverage = requireScope(this.#access, 'ImagingStudy', interaction);
    this.#source.undelayed(delay);
    return this.#decided(studyUid, coverage);
  }

  /** Decides anew about a study, by a row that is not kept: the source has not given what it should have by its row. */
  doubt(studyUid: string): void {
    this.#source.doubt(studyUid);
    for (const question of this.#decisions.keys())
      if (question.startsWith(`${studyUid}\n`)) this.#decisions.delete(question);
  }

  /** Returns the row of a study that the caller may have. @throws Fault `not_found` for any other study */
  async owned(studyUid: string, coverage: Coverage): Promise<DicomJson> {
    const found = await this.#decided(studyUid, coverage);
    if (typeof found === 'string') throw noSuchObject();
    return found;
  }

  /**
   * Returns the UIDs under which the source has a study of a patient out of the caller's reach, alone or beside one of
   * the caller's: they cannot be retrieved (IA-24).
   */
  async crossed(studyUids: readonly string[]): Promise<readonly string[]> {
    this.#source.undelayed('lookupUntil');
    const reaches = await this.#caller.byUid();
    if (!reaches) return [];
    const rows = await this.#rowsOf(studyUids);
    return studyUids.filter((uid) =>
      studiesIn(rows, uid).some((row) => !this.#caller.includes(reaches, row)),
    );
  }

  /** Returns the rows of those of these studies that the source has and the caller may find, by UID. */
  async held(studyUids: readonly string[]): Promise<ReadonlyMap<string, DicomJson>> {
    const coverage = requireScope(this.#access, 'ImagingStudy', 's');
    this.#source.undelayed('lookupUntil');
    const [rows, reaches] = await Promise.all([this.#rowsOf(studyUids), this.#caller.byUid()]);
    const shown = byStudy(await this.dropWithheld(rows, studyUids));
    const passes = (row: DicomJson) => this.#caller.includes(reaches, row) && coveredBy(row, coverage);
    return new Map([...shown].flatMap(([uid, own]) => (own.every(passes) ? [[uid, own[0]!]] : [])));
  }

  /**
   * Tells whose studies the source has under UIDs that a list of this caller does not show (IA-34): `absent`, none; `hidden`,
   * one of the patient whom the record names, which is withheld or not covered; `foreign`, one of another patient; `visible`,
   * one of another patient, who is in reach too. The question is the same for any UID.
   * @param studies UIDs, each with the patient whom the record names, who is in reach
   */
  async standing(
    studies: readonly { uid: string; patientId: string }[],
  ): Promise<ReadonlyMap<string, Standing>> {
    const [rows, reaches] = await Promise.all([
      this.#rowsOf(studies.map(({ uid }) => uid)),
      this.#caller.byUid(),
    ]);
    const standing = studies.map(async ({ uid, patientId }): Promise<[string, Standing]> => {
      const own = studiesIn(rows, uid);
      if (own.length === 0) return [uid, 'absent'];
      const named = await this.#caller.of(patientId);
      if (own.every((row) => this.#caller.includes(named, row))) return [uid, 'hidden'];
      return [uid, own.every((row) => this.#caller.includes(reaches, row)) ? 'visible' : 'foreign'];
    });
    return new Map(await Promise.all(standing));
  }

  /** Tells whether a study is that of a patient in reach. */
  async isOf(patientId: string, study: DicomJson): Promise<boolean> {
    return this.#caller.includes(await this.#caller.of(patientId), study);
  }

  /** Reads the rows by which `crossed` decides, of the studies of several patients at once. */
  async prefetchCrossed(studyUids: readonly string[]): Promise<void> {
    if (await this.#caller.byUid()) await this.prefetchStanding(studyUids);
  }

  /** Reads the rows by which `standing` decides, of the studies of several patients at once. */
  async prefetchStanding(studyUids: readonly string[]): Promise<void> {
    const uids = [...new Set(studyUids)];
    const rows = await this.#rowsOf(uids);
    for (const uid of uids) this.#byUid.set(uid, studiesIn(rows, uid));
  }

  async #rowsOf(studyUids: readonly string[]): Promise<DicomJson[]> {
    const unknown = studyUids.filter((uid) => !this.#byUid.has(uid)).sort();
    const asked = chunked(unknown).map((some) => this.#source.ask(byUid(...some), OWNER_TTL));
    const known = studyUids.flatMap((uid) => this.#byUid.get(uid) ?? []);
    return [...(await Promise.all(asked)).flat(), ...known];
  }

  /** Returns the study's row if this process remembers that the caller may have it; does not ask the source. */
  async remembered(studyUid: string, interaction: 'r' | 's'): Promise<DicomJson | undefined> {
    const coverage = requireScope(this.#access, 'ImagingStudy', interaction);
    return this.#inMemory(studyUid, coverage, await this.#caller.byUid(), 'here');
  }

  /**
   * Drops rows of withheld studies, and remembers these studies.
   * @param named UIDs that the client named: each costs the same queries, found or not (IA-7)
   */
  async dropWithheld(rows: readonly DicomJson[], named?: readonly string[]): Promise<DicomJson[]> {
    const shown = named ? await this.#shownOfNamed(rows, named) : await this.#withholding.shown(rows);
    if (shown.length === rows.length) return shown;
    const left = byStudy(shown);
    for (const [uid, [study]] of byStudy(rows)) {
      if (left.has(uid)) continue;
      this.withheld.add(uid);
      const accession = study && text(study, Tag.AccessionNumber)?.trim();
      if (accession) this.withheldAccessions.add(accession);
    }
    return shown;
  }

  async #shownOfNamed(rows: readonly DicomJson[], named: readonly string[]): Promise<DicomJson[]> {
    if (!this.#withholding.applies) return [...rows];
    const asked = chunked(named).map((some) => this.#source.askFresh(this.#seriesQuery(some)));
    const series = byStudy((await Promise.all(asked)).flat());
    const found = byStudy(rows);
    const studies = named.map((uid) => [uid, (found.has(uid) && series.get(uid)) || []] as const);
    const withheld = await this.#withholding.withheldAnew(new Map(studies));
    return rows.filter((row) => !withheld.has(text(row, Tag.StudyInstanceUID) ?? ''));
  }

  /** Decides once per request, however many parts of the study are read. */
  #decided(studyUid: string, coverage: Coverage): Promise<LookupResult> {
    const question = `${studyUid}\n${JSON.stringify(coverage)}`;
    let deciding = this.#decisions.get(question);
    if (!deciding) this.#decisions.set(question, (deciding = this.#decide(studyUid, coverage)));
    return deciding;
  }

  /**
   * Allows a study from what is kept, but never refuses it from that. A refusal asks everything anew, whatever the
   * answers are: a study that is foreign, uncovered or withheld costs the same queries in the same order as an absent
   * one, however often it is asked for and whatever other callers asked (IA-7).
   */
  async #decide(studyUid: string, coverage: Coverage): Promise<LookupResult> {
    if (!UID.test(studyUid)) return 'absent';
    const reaches = await this.#caller.byUid();
    for (const memory of this.#source.memories) {
      const study = await this.#inMemory(studyUid, coverage, reaches, memory);
      if (study) return study;
    }
    const refuses = (found: LookupResult) => typeof found === 'string';
    const found = await this.#source.withRefusalDelay(
      () => this.#decideAnew(studyUid, coverage, reaches),
      refuses,
    );
    // Not within the delay of refusals, which has a limit: this takes equally long for every study.
    if (refuses(found)) await this.#source.throwIfAway();
    return found;
  }

  async #decideAnew(
    studyUid: string,
    coverage: Coverage,
    reaches: readonly Reach[] | undefined,
  ): Promise<LookupResult> {
    const query = byUid(studyUid);
    const until = { ttl: OWNER_TTL, generation: await this.#source.generation() };
    const found = await this.#source.askOwner(query, studyUid);
    const studies = studiesIn(found, studyUid);
    const own = studies.length > 0 && this.#caller.includesAll(reaches, studies);
    const series = this.#withholding.applies
      ? await this.#source.askFresh(this.#seriesQuery([studyUid]))
      : [];
    const judged = new Map([[studyUid, own ? series : []]]);
    const withheld =
      this.#withholding.applies && (await this.#withholding.withheldAnew(judged)).has(studyUid);
    if (studies.length === 0) return 'absent';
    if (!own) return 'foreign';
    if (!studies.every((row) => coveredBy(row, coverage))) return 'uncovered';
    if (withheld) {
      this.withheld.add(studyUid);
      return 'withheld';
    }
    this.#source.keep(query, found, until);
    this.#source.keep(this.#seriesQuery([studyUid]), series, until);
    return studies[0]!;
  }

  /** Returns the study's row if everything needed to allow it is kept. */
  async #inMemory(
    studyUid: string,
    coverage: Coverage,
    reaches: readonly Reach[] | undefined,
    memory: CacheLevel,
  ): Promise<DicomJson | undefined> {
    const { applies } = this.#withholding;
    const [found, series] = await Promise.all([
      this.#source.known(byUid(studyUid), memory),
      applies ? this.#source.known(this.#seriesQuery([studyUid]), memory) : [],
    ]);
    const studies = studiesIn(found ?? [], studyUid);
    const passes = (row: DicomJson) => this.#caller.includes(reaches, row) && coveredBy(row, coverage);
    if (!series || studies.length === 0 || !studies.every(passes)) return undefined;
    if (studies.some((row) => this.#source.isDoubted(studyUid, row))) return undefined;
    return this.#withholding.isShownByMemory(studyUid, series) ? studies[0] : undefined;
  }

  /** Reads the series of studies, by which withholding is decided. */
  async #seriesOf(studyUids: readonly string[]): Promise<DicomJson[]> {
    const rows = chunked(studyUids).map((some) => this.#source.ask(this.#seriesQuery(some), OWNER_TTL));
    return (await Promise.all(rows)).flat();
  }

  #seriesQuery(studyUids: readonly string[]): SourceQuery {
    const match = new Map([[Tag.StudyInstanceUID as string, studyUids]]);
    return { level: 'series', match, includeField: this.#withholding.includeField };
  }
}

function byUid(...studyUids: readonly string[]): SourceQuery {
  return { level: 'study', match: new Map([[Tag.StudyInstanceUID, studyUids]]), includeField: [] };
}

function studiesIn(rows: readonly DicomJson[], studyUid: string): DicomJson[] {
  return rows.filter((row) => text(row, Tag.StudyInstanceUID) === studyUid);
}
