import type { Access } from '../../../../schema/access/access.ts';
import { permitting, requireScope } from '../../../../schema/access/scopes.ts';
import { isDottedUid, UID } from '../../../../schema/dicom/dicom.ts';
import { copyWith } from '../../../../schema/process/copy-with.ts';
import { Fault, toFault } from '../../../../schema/fault/fault.ts';
import { isSourceFailure } from '../failover.ts';
import { askEach } from '../study-holders.ts';
import type { CallerArchive } from '../caller-archive.ts';
import type {
  Detail,
  JoinedStudy,
  StudyFilter,
  StudyList,
  StudyRecord,
  WantedPatients,
} from '../study-records.ts';
import { RecordHalves, uidOf, type RecordHalvesOptions } from './record-halves.ts';
import { RecordQuestions, type RecordAnswer } from './record-questions.ts';
import type { RecordStudy } from './record-study.ts';

/** The archives of a tenant, as the join asks them. */
export interface Archives {
  sources: readonly CallerArchive[];
  list(patients: WantedPatients, filter: StudyFilter): Promise<StudyList>;
  study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined>;
}

/** The halves of a study that were found by one of its ids: of the archives, and of the record. */
interface Halves {
  record: StudyRecord | undefined;
  half: RecordStudy | undefined;
  /** False when an archive did not answer. */
  isWhole: boolean;
  /** All studies of the record that were found with it. */
  studies: readonly RecordStudy[];
}

/**
 * Joins the studies of the archives with those of the clinical record, for one request (IA-34). Each half is authorized by
 * its own rules before it is joined.
 */
export class RecordJoin {
  /** Faults of a half of studies whose other half was read. */
  readonly faults = new Set<Fault>();
  readonly #archives: Archives;
  readonly #questions: RecordQuestions;
  readonly #halves: RecordHalves;
  readonly #access: Access;

  constructor(archives: Archives, options: RecordHalvesOptions) {
    this.#archives = archives;
    this.#access = options.access;
    this.#questions = new RecordQuestions(options);
    this.#halves = new RecordHalves(archives.sources, options);
  }

  /** Asks for what `list` of each of these patients needs, in as few questions as for one. */
  async prefetch(patientIds: readonly string[]): Promise<void> {
    const found = await this.#questions.prefetch(patientIds);
    const uids = found.flatMap(({ uid }) => uid ?? []);
    if (uids.length === 0) return;
    await askEach(this.#archives.sources, ({ decision }) => decision.prefetchStanding(uids));
  }

  /** See `AuthorizedStudies.list`. */
  async list(patients: WantedPatients, filter: StudyFilter): Promise<StudyList> {
    const { studyUids: ids } = filter;
    const asked = this.#questions.ofPatients(patients, ids);
    // Only the record knows the UID of a study that is named by its logical id.
    const wanted = ids && !ids.every(isDottedUid) ? withUids(filter, (await asked).studies) : filter;
    const list = await this.#archives.list(patients, wanted).catch(toFault);
    const own = await asked;
    if (list instanceof Fault && (own.studies.length === 0 || !this.#mayStandIn(list))) throw list;
    if (!(list instanceof Fault) && own.studies.length === 0 && !own.fault) return list;
    // Studies are joined by more than their UIDs.
    if (filter.onlyUids && own.studies.length > 0)
      return this.list(patients, copyWith(filter, { onlyUids: undefined }));
    return this.#joinedList(patients, filter, { list, own });
  }

  async #joinedList(
    patients: WantedPatients,
    { studyUids: ids, ...unnamed }: StudyFilter,
    { list, own }: { list: StudyList | Fault; own: RecordAnswer },
  ): Promise<StudyList> {
    const archive = list instanceof Fault ? { records: [], failed: [list] } : list;
    const isOfPatients = ofPatients(patients);
    const isNamed = ({ uid, recordId }: RecordStudy) =>
      !ids || ids.includes(recordId) || (uid !== undefined && ids.includes(uid));
    // An accession number joins if the patient has only one study with it.
    const isPartial = ids && !(list instanceof Fault) && own.studies.some(({ uid }) => uid === undefined);
    const all = isPartial ? (await this.#archives.list(patients, unnamed)).records : archive.records;
    const found = new Set(archive.records.map(uidOf));
    const { joined, alone } = await this.#halves.joined(
      { records: archive.records, ofPatient: all, isWhole: archive.failed.length === 0 },
      own.studies,
      (study) => isOfPatients(study) && isNamed(study),
    );
    const isWanted = (uid: string): boolean => {
      const half = joined.get(uid);
      return found.has(uid) || (half !== undefined && isNamed(half));
    };
    const records = isPartial ? all.filter((one) => isWanted(uidOf(one))) : archive.records;
    if (list instanceof Fault && alone.length === 0) throw list;
    const failed = own.fault ? [...archive.failed, own.fault] : archive.failed;
    for (const fault of failed) this.faults.add(fault);
    return { records, failed, joined, alone };
  }

  /** See `AuthorizedStudies.find`. */
  async study(id: string, detail?: Detail): Promise<JoinedStudy | undefined> {
    requireScope(this.#access, 'ImagingStudy', 'r');
    const asked = this.#questions.toRead(id);
    let found = UID.test(id) ? await this.#archiveHalf(id, detail) : {};
    const own = await asked;
    const half =
      own.studies.find(({ uid }) => uid === id) ?? own.studies.find(({ recordId }) => recordId === id);
    if (!found.record && !found.fault && half?.uid !== undefined && half.uid !== id)
      found = await this.#archiveHalf(half.uid, detail);
    const { record, fault } = found;
    if (!record && !half) {
      const missed = fault ?? own.fault;
      if (missed) throw missed;
      return undefined;
    }
    const joined = await this.#joinedTo(id, { record, half, isWhole: !fault, studies: own.studies }, detail);
    if (!joined && fault) throw fault;
    for (const missed of [fault, own.fault]) if (missed) this.faults.add(missed);
    return joined;
  }

  /** Joins the archive's study, if any, and the record's study with this id, if any. */
  async #joinedTo(
    id: string,
    { record, half, isWhole, studies }: Halves,
    detail: Detail | undefined,
  ): Promise<JoinedStudy | undefined> {
    const uid = record ? uidOf(record) : half?.uid;
    const isOne = (study: RecordStudy) =>
      study.recordId === half?.recordId || (uid !== undefined && study.uid === uid);
    const byAccession = ({ uid, accessions }: RecordStudy) => uid === undefined && accessions.length > 0;
    const patientId = half?.patientId ?? record?.patientId;
    const same = studies.filter((study) => isOne(study) || byAccession(study));
    // An accession number joins if the patient has only one study with it.
    const mayList = permitting(this.#access.permissions, 'ImagingStudy', 's').length > 0;
    const needsAll = isWhole && mayList && patientId !== undefined && same.some(byAccession);
    const all = needsAll ? (await this.#archives.list(patientId, detail ? { detail } : {})).records : [];
    const records = record ? [record] : [];
    const { joined, alone } = await this.#halves.joined({ records, ofPatient: all, isWhole }, same, isOne);
    if (record && uidOf(record) === id) return withHalf(record, joined.get(id));
    const only =
      alone.find(({ recordId }) => recordId === half?.recordId) ?? alone.find((one) => one.uid === uid);
    if (only) return { own: only };
    const [key] =
      [...joined].find(
        ([uid, one]) => one.recordId === half?.recordId || (record && uid === uidOf(record)),
      ) ?? [];
    const other = key === undefined ? undefined : (record ?? all.find((one) => uidOf(one) === key));
    return other && withHalf(other, joined.get(key!));
  }

  /** Reads the archive's half. Returns its fault if the record's half may be given without it. */
  async #archiveHalf(
    uid: string,
    detail: Detail | undefined,
  ): Promise<{ record?: StudyRecord; fault?: Fault }> {
    const found = await this.#archives.study(uid, detail).catch(toFault);
    if (!(found instanceof Fault)) return found ? { record: found } : {};
    if (!this.#mayStandIn(found)) throw found;
    return { fault: found };
  }

  #mayStandIn(fault: Fault): boolean {
    if (!isSourceFailure(fault) || fault.details.service === 'clinical') return false;
    for (const source of this.#archives.sources) source.undelayed();
    return true;
  }
}

const withHalf = (record: StudyRecord, own: RecordStudy | undefined): JoinedStudy => ({
  record,
  ...(own && { own }),
});

/** Returns the test whether a study is of one of the patients. */
function ofPatients(patients: WantedPatients): (study: RecordStudy) => boolean {
  if (patients === undefined) return () => true;
  const wanted = new Set(typeof patients === 'string' ? [patients] : patients);
  return ({ patientId }) => wanted.has(patientId);
}

/** Adds the UIDs of the record's studies that a filter names by their logical ids. */
function withUids(filter: StudyFilter, studies: readonly RecordStudy[]): StudyFilter {
  const { studyUids = [] } = filter;
  const more = studies.flatMap(({ uid, recordId }) =>
    uid !== undefined && studyUids.includes(recordId) ? [uid] : [],
  );
  return { ...filter, studyUids: [...new Set([...studyUids, ...more])] };
}
