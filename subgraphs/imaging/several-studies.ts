import type { FastifyBaseLogger } from 'fastify';
import type { LRUCache } from 'lru-cache';
import { requirePatient, type Access } from '../../schema/access.ts';
import { number, Tag, text, type DicomJson } from '../../schema/dicom.ts';
import { Fault, toFault } from '../../schema/fault.ts';
import { logFault } from '../../schema/log-fault.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { noSuchObject } from './not-found.ts';
import type { QidoQuery } from './qido.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import type { InstanceTarget, Target } from './sources/source.ts';
import type { Detail, Imaging, SearchResult, StudyFilter, StudyList, StudyRecord } from './studies.ts';
import type { Reading } from './study-reader.ts';
import { byStudy, newestFirst } from './study-rows.ts';

/**
 * Studies that one source was found not to have while another had them, by source and UID: it is not asked for each of
 * their frames. Kept no longer than a study's owner.
 */
export type Elsewhere = LRUCache<string, true>;

export interface SeveralStudiesOptions {
  tenant: Tenant;
  access: Access;
  elsewhere: Elsewhere;
  log: Pick<FastifyBaseLogger, 'warn' | 'error'>;
}

/**
 * The image sources of a tenant, one or more, as one (DW-18). Each stands behind the Access by itself, with its own way to
 * find a patient; what one says of a study says nothing of what another has under the same UID.
 */
export class SeveralStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  private readonly sources: readonly RestrictedStudies[];
  private readonly options: SeveralStudiesOptions;

  constructor(sources: readonly RestrictedStudies[], options: SeveralStudiesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.sources = sources;
    this.options = options;
  }

  async search(query: QidoQuery): Promise<SearchResult> {
    const { studyUid, limit, offset = 0, ...unpaged } = query;
    if (studyUid !== undefined) return (await this.holder(studyUid, 's')).search(query);
    if (this.sources.length === 1) return this.sources[0]!.search(query);
    // What another source has too can only be counted once it is there.
    const upTo = limit === undefined ? {} : { limit: offset + limit };
    const { answers, failed } = await this.ofAll((source) => source.search({ ...unpaged, ...upTo }));
    const lists = answers.map(({ source, answer }) => ({ source, rows: answer.rows }));
    const rows = await this.merged(lists, query.level);
    const end = limit === undefined ? undefined : offset + limit;
    const more = end !== undefined && (rows.length > end || answers.some(({ answer }) => answer.more));
    const patients = [...new Set(answers.flatMap(({ answer }) => answer.patients ?? []))];
    return {
      ...{ rows: rows.slice(offset, end), more, failed },
      ...(this.access.patients !== 'all' && { patients }),
    };
  }

  async studiesOf(patientId: string | undefined, filter?: StudyFilter): Promise<StudyList> {
    const { answers, failed } = await this.ofAll((source) => source.studiesOf(patientId, filter));
    const records = new Map<string, StudyRecord>();
    for (const { answer } of answers) {
      for (const record of answer) {
        const uid = text(record.study, Tag.StudyInstanceUID) ?? '';
        const known = records.get(uid);
        if (!known || size(record.study) > size(known.study)) records.set(uid, record);
      }
    }
    for (const source of this.sources) for (const uid of source.withheld) records.delete(uid);
    return { records: [...records.values()].sort(newestFirst), failed };
  }

  async study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined> {
    try {
      return await (await this.holder(studyUid, 'r', 'lookupUntil')).study(studyUid, detail);
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  patientById(id: string): string {
    return requirePatient(this.access, id).id;
  }

  patientByIdentifier(value: string, system?: string): Promise<string> {
    return this.sources[0]!.patientByIdentifier(value, system);
  }

  order(id: string) {
    return this.sources[0]!.order(id);
  }

  async metadata(target: Target) {
    return (await this.holder(target.studyUid)).metadata(target);
  }

  async encodedMetadata(target: Target) {
    return (await this.holder(target.studyUid)).encodedMetadata(target);
  }

  async retrieve(target: Target, transferSyntax: string) {
    return (await this.holder(target.studyUid)).retrieve(target, transferSyntax);
  }

  async relay(target: Target, transferSyntax: string) {
    return (await this.holder(target.studyUid)).relay(target, transferSyntax);
  }

  async frames(target: InstanceTarget, numbers: readonly number[]) {
    return (await this.holder(target.studyUid)).frames(target, numbers);
  }

  async bulkdata(target: InstanceTarget, path: string) {
    return (await this.holder(target.studyUid)).bulkdata(target, path);
  }

  async version(target: Target) {
    return (await this.holder(target.studyUid)).version(target);
  }

  reading<T>(_target: Target, _part: string, work: (core: Reading) => Promise<T>): Promise<T> {
    return work(this);
  }

  /**
   * The source that has most of a study, which checks for itself once more what it then gives.
   * @throws Fault `not_found` where none has it for this caller, or one has it of somebody else: two patients under one
   * UID are one patient's to nobody (IA-24); what a source failed with, where another could not answer for it
   */
  private async holder(
    studyUid: string,
    interaction: 'r' | 's' = 'r',
    delay: 'lookupUntil' | 'retrieveUntil' = interaction === 's' ? 'lookupUntil' : 'retrieveUntil',
  ): Promise<RestrictedStudies> {
    const [only, ...others] = this.sources;
    // It checks for itself, and with the same words, what it then gives.
    if (only && others.length === 0) return only;
    const { elsewhere } = this.options;
    const placeOf = (source: RestrictedStudies) => `${source.key}\n${studyUid}`;
    const likely = this.sources.filter((source) => !elsewhere.has(placeOf(source)));
    const ask = (source: RestrictedStudies) => source.claim(studyUid, interaction, delay);
    let claims = await settled(likely, ask);
    if (likely.length < this.sources.length && !claims.some(({ answer }) => typeof answer === 'object')) {
      claims = await settled(this.sources, ask);
    }
    const having = claims.flatMap(({ source, answer }) =>
      typeof answer === 'object' ? [{ source, size: size(answer) }] : [],
    );
    const says = (word: string) => claims.some(({ answer }) => answer === word);
    const mixed = having.length > 0 && says('foreign');
    if (mixed) {
      const { tenant, log } = this.options;
      log.warn({ tenant: tenant.key, studyUid }, 'withheld: two sources have it as of different patients');
    }
    if (having.length === 0 || mixed || says('withheld')) {
      throw claims.find(({ fault }) => fault)?.fault ?? noSuchObject();
    }
    // What one caller's scopes leave out is no less there for another.
    for (const { source, answer } of claims) {
      if (answer === 'absent' || answer === undefined) elsewhere.set(placeOf(source), true);
    }
    return having.reduce((most, one) => (one.size > most.size ? one : most)).source;
  }

  /** Asks every source; those that failed are logged here, as the others' answer goes out without a fault. */
  private async ofAll<T>(ask: (source: RestrictedStudies) => Promise<T>) {
    const asked = await settled(this.sources, ask);
    const faults = asked.flatMap(({ fault }) => fault ?? []);
    // A PatientID that is nobody's in one source may be the caller's in another.
    const failed = faults.filter(({ code }) => code !== 'forbidden');
    const answers = asked.flatMap(({ source, answer }) => (answer === undefined ? [] : [{ source, answer }]));
    if (answers.length === 0) throw failed[0] ?? faults[0]!;
    const { tenant, log } = this.options;
    for (const fault of failed)
      logFault(log, fault, { tenant: tenant.key }, 'an image source did not answer');
    return { answers, failed };
  }

  /** Rows of all sources, each study from one of them. */
  private async merged(
    lists: readonly { source: RestrictedStudies; rows: readonly DicomJson[] }[],
    level: QidoQuery['level'],
  ): Promise<DicomJson[]> {
    const studies = lists.map(({ source, rows }) => ({ source, studies: byStudy(rows) }));
    const given = new Map<string, readonly DicomJson[]>();
    for (const uid of studies.flatMap((list) => [...list.studies.keys()])) {
      if (given.has(uid)) continue;
      const having = studies.filter((list) => list.studies.has(uid));
      const rowsOf = (list: (typeof having)[number]) => list.studies.get(uid)!;
      if (having.length === 1) given.set(uid, rowsOf(having[0]!));
      else if (level === 'study') {
        const rows = having.map(rowsOf);
        given.set(
          uid,
          rows.reduce((most, one) => (size(one[0]!) > size(most[0]!) ? one : most)),
        );
      } else {
        // Series and instances do not tell how large their study is.
        const holder = await this.holder(uid, 's').catch(() => undefined);
        const list = having.find(({ source }) => source === holder);
        given.set(uid, list ? rowsOf(list) : []);
      }
    }
    for (const source of this.sources) for (const uid of source.withheld) given.delete(uid);
    return [...given.values()].flat();
  }
}

interface Answer<T> {
  source: RestrictedStudies;
  answer?: T;
  fault?: Fault;
}

function settled<T>(
  sources: readonly RestrictedStudies[],
  ask: (source: RestrictedStudies) => Promise<T>,
): Promise<Answer<T>[]> {
  return Promise.all(
    sources.map((source) =>
      ask(source).then(
        (answer) => ({ source, answer }),
        (error: unknown) => ({ source, fault: toFault(error) }),
      ),
    ),
  );
}

/** Instances of a study, as its row tells. */
function size(study: DicomJson): number {
  return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
}
