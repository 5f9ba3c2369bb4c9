import { haveOneAccession, readAccession } from './accession-types.ts';

/**
 * The rule by which a resource of the record and a study belong together (FG-9), the same in both subgraphs: they are of
 * one patient, and the resource names the study, a series or an instance of it by UID, or has one of its accession numbers.
 */

/**
 * The links of a resource of the record to its studies, as the clinical subgraph passes them on. Null members: none. The names
 * are those of fields of the graph that no client sees.
 */
export interface StudyLinks {
  /** Logical id of its patient; without one, it has no studies. */
  _patientId?: string | null | undefined;
  /** Accession numbers by `accessionText`. */
  _accessionNumbers?: readonly string[] | null | undefined;
  /** Study Instance UIDs; of studies of the record that have none, their ids. */
  _studyUids?: readonly string[] | null | undefined;
}

/** The keys of a study, as the imaging subgraph passes them on. */
export interface StudyKeys {
  /** Study Instance UID, or the id under which the study is shown. */
  id: string;
  /** Study Instance UID where it is not the id: the record names another patient for it than the archive. */
  _studyUid?: string | null | undefined;
  /** Logical id of its patient; without one, nothing of the record belongs to it. */
  _patientId?: string | null | undefined;
  /** Accession numbers by `accessionText`. */
  _accessionNumbers?: readonly string[] | null | undefined;
}

/**
 * Returns the test of the rule for one resource; undefined when it can have no studies. Without the patient nothing is
 * joined: accession numbers repeat between sites, and a UID may be copied from another patient's study.
 */
export function studyTest(links: StudyLinks): ((study: StudyKeys) => boolean) | undefined {
  const uids = new Set(links._studyUids ?? []);
  const accessions = (links._accessionNumbers ?? []).map(readAccession);
  const { _patientId: patientId } = links;
  if (!patientId || uids.size + accessions.length === 0) return undefined;
  return (study) => {
    if (study._patientId !== patientId) return false;
    if (uids.has(study.id) || (study._studyUid && uids.has(study._studyUid))) return true;
    return haveOneAccession(accessions, (study._accessionNumbers ?? []).map(readAccession));
  };
}
