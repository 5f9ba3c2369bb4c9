import type { Access } from '../../schema/access/access.ts';
import type { JoinRule } from '../../schema/fhir/accession-types.ts';
import type { StudyKeys } from '../../schema/fhir/study-match.ts';

/** A study, as a search finds it, and what joins it with the record. */
export interface FoundStudy {
  /** ImagingStudy as FHIR JSON. */
  json: string;
  keys: StudyKeys;
}

/** An instance of an archive. Null: it is not known. */
export interface FoundInstance {
  id: string;
  study_id: string;
  series_id: string;
  sop_class?: string | null | undefined;
  number?: number | null | undefined;
  frames?: number | null | undefined;
  rows?: number | null | undefined;
  columns?: number | null | undefined;
  /** The attributes of `analysis.dicom`, as DICOM JSON. */
  more?: string | null | undefined;
}

/** The part of a type that a search by the caller's token finds. */
export interface TypeReach {
  /** Of granular scopes: a text that is another one when they find something else, and the ids that they find. */
  granular?: { key: string; ids(): Promise<readonly string[]> } | undefined;
}

/** A database of a record, which a thread reads itself. */
export interface RecordFile {
  file: string;
  joins: JoinRule;
}

/** A record that is fetched from an EHR. */
export interface FetchedRecord {
  begin(): void;
  /** @throws Fault `forbidden` for a caller of whose rights at the EHR nothing is known */
  requireAccess(access: Access): void;
  /** @throws Fault `unavailable` or `not_implemented` while there are no data */
  requireData(): void;
  /** Moment up to which the data have all changes. */
  readonly time: Date | undefined;
}

/** The record and the images of one tenant, which the composition root takes from the subgraphs. */
export interface AnalysisSources {
  /** Undefined for a record that is here. */
  fetched?: FetchedRecord | undefined;
  /**
   * Returns a text that changes with the data; undefined when they may change without a sign.
   * @throws Fault `unavailable` while a record is loaded, or a folder read, for the first time
   */
  version(): Promise<string | undefined>;
  /** Returns the record; undefined for a tenant without. */
  record(): Promise<RecordFile | undefined>;
  /** Returns the databases of folders, which have their instances. */
  indexes(): Promise<readonly string[]>;
  /** Gives all studies, whoever may see them, each once. */
  studies(): AsyncIterable<readonly FoundStudy[]>;
  /** Gives the instances of archives without a database. */
  instances(): AsyncIterable<readonly FoundInstance[]>;
  /** Returns how a token finds a type of the record; undefined when its search is refused. */
  reachOf(access: Access, type: string): Promise<TypeReach | undefined>;
  /** Returns the ids of the studies that a search by the token finds now; `all` for all that there are. @throws Fault like that search */
  studyIds(access: Access): Promise<readonly string[] | 'all'>;
}
