/** Levels of the DICOM query information model that DICOMweb searches, PS3.18 §10.6. */
export type Level = 'study' | 'series' | 'instance';

/** A study, or one of its series or instances, by UID. */
export interface Target {
  studyUid: string;
  seriesUid?: string;
  instanceUid?: string;
  /** The patient of the study, in the row that authorized the retrieval: objects of another are not given (DW-26). */
  patient?: StatedPatient;
}

/** One instance by UID. */
export type InstanceTarget = Target & { seriesUid: string; instanceUid: string };

/** The patient that a row or an object states, without padding; empty if it states none. */
export interface StatedPatient {
  id: string;
  issuer: string;
}
