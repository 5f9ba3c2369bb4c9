/** A patient's imaging, as the viewer knows it: without FHIR, DICOM JSON or URLs of one kind of server. */

export interface Study {
  /** Study Instance UID. */
  uid: string;
  /** Id of the record's resource; it differs from `uid` where the record has its own. */
  id: string;
  /** FHIR dateTime. */
  started?: string;
  description?: string;
  /** DICOM codes, PS3.16 CID 33. */
  modalities: readonly string[];
  accession?: string;
  /** Undefined where neither record nor archive says it. */
  numberOfInstances?: number;
  series: readonly Series[];
  /** The server of the images; undefined for a study that no archive has, which cannot be opened. */
  location?: ImageLocation;
}

export interface Series {
  uid: string;
  number?: number;
  modality: string;
  description?: string;
  bodySite?: string;
  numberOfInstances?: number;
  /** The server of this series, if another archive has it than the study. */
  location?: ImageLocation;
}

/** A DICOMweb base URL, without a slash at the end. */
export interface ImageLocation {
  dicomweb: string;
}

/** Names one frame. Numbers begin at 1, as in PS3.18 §10.4.1.1.6. */
export interface FrameName {
  study: string;
  series: string;
  instance: string;
  frame: number;
}

/** A frame's name as text: `study/series/instance/frame`. It is the key of the frame everywhere. */
export type FrameId = string;

export function frameId({ study, series, instance, frame }: FrameName): FrameId {
  return `${study}/${series}/${instance}/${frame}`;
}

/** Returns the name of a frame. */
export function frameName(id: FrameId): FrameName {
  const [study = '', series = '', instance = '', frame] = id.split('/');
  return { study, series, instance, frame: Number(frame) };
}

/** True if an archive has images of the study: it can be opened then. */
export function isStored({ location, series }: Study): boolean {
  return location !== undefined || series.some((one) => one.location !== undefined);
}
