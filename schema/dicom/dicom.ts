/** Common parts of DICOM: the JSON model, UIDs, tags by keyword, transfer syntaxes. */

/** One attribute of the DICOM JSON model, PS3.18 §F.2.2. */
export interface DicomElement {
  vr: string;
  Value?: unknown[];
  InlineBinary?: string;
  BulkDataURI?: string;
}

/** A data set in the DICOM JSON model: eight upper-case hex digits → attribute, PS3.18 §F.2. */
export type DicomJson = Record<string, DicomElement>;

/** The same, to be read: of a server or of a browser. */
export type DicomValues = Readonly<Record<string, { readonly Value?: readonly unknown[] }>>;

/**
 * A UID: up to 64 digits and dots. Real files break the stricter rule of PS3.5 §9.1 (DW-12). At least one digit, because
 * `.` and `..` are removed from URLs (RFC 3986 §5.2.4).
 */
export const UID = /^(?=\.*[0-9])[0-9.]{1,64}$/;

/** Returns true for a UID with dots, as PS3.5 §9.1 wants them: an id that has only digits may be any number. */
export function isDottedUid(id: string): boolean {
  return UID.test(id) && id.includes('.');
}

/** Media types of DICOMweb, PS3.18 §8.7.3. */
export const DICOM_JSON = 'application/dicom+json';
export const DICOM = 'application/dicom';

/** Tags that the code uses, by DICOM keyword (PS3.6). */
export const Tag = {
  SpecificCharacterSet: '00080005',
  ImageType: '00080008',
  SOPClassUID: '00080016',
  SOPInstanceUID: '00080018',
  StudyDate: '00080020',
  SeriesDate: '00080021',
  StudyTime: '00080030',
  SeriesTime: '00080031',
  AccessionNumber: '00080050',
  InstanceAvailability: '00080056',
  Modality: '00080060',
  ModalitiesInStudy: '00080061',
  ReferringPhysicianName: '00080090',
  TimezoneOffsetFromUTC: '00080201',
  StudyDescription: '00081030',
  SeriesDescription: '0008103E',
  PerformingPhysicianName: '00081050',
  RetrieveURL: '00081190',
  PatientName: '00100010',
  PatientID: '00100020',
  IssuerOfPatientID: '00100021',
  PatientBirthDate: '00100030',
  PatientSex: '00100040',
  BodyPartExamined: '00180015',
  StudyInstanceUID: '0020000D',
  SeriesInstanceUID: '0020000E',
  StudyID: '00200010',
  SeriesNumber: '00200011',
  InstanceNumber: '00200013',
  Laterality: '00200060',
  NumberOfStudyRelatedSeries: '00201206',
  NumberOfStudyRelatedInstances: '00201208',
  NumberOfSeriesRelatedInstances: '00201209',
  SamplesPerPixel: '00280002',
  PhotometricInterpretation: '00280004',
  PlanarConfiguration: '00280006',
  NumberOfFrames: '00280008',
  Rows: '00280010',
  Columns: '00280011',
  BitsAllocated: '00280100',
  BitsStored: '00280101',
  HighBit: '00280102',
  PixelRepresentation: '00280103',
  PerformedProcedureStepStartDate: '00400244',
  PerformedProcedureStepStartTime: '00400245',
  RequestAttributesSequence: '00400275',
  ScheduledProcedureStepID: '00400009',
  RequestedProcedureID: '00401001',
  ConfidentialityCode: '00401008',
  ConfidentialityConstraintOnPatientDataDescription: '00403001',
  AvailableTransferSyntaxUID: '00083002',
  PixelData: '7FE00010',
  FloatPixelData: '7FE00008',
  DoubleFloatPixelData: '7FE00009',
} as const;

/**
 * Returns the first value as text: numbers as written, person names in their alphabetic form where there is one.
 * Undefined when there is no value.
 */
export function text(dataset: DicomValues, tag: string): string | undefined {
  const value = dataset[tag]?.Value?.[0];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object') {
    const { Alphabetic, Ideographic, Phonetic } = value as Record<string, string | undefined>;
    return Alphabetic ?? Ideographic ?? Phonetic;
  }
  return String(value);
}

/** Returns all values as text. */
export function texts(dataset: DicomValues, tag: string): string[] {
  return (dataset[tag]?.Value ?? []).filter((value) => value !== null).map(String);
}

/** Returns the items of a sequence, without what is none. */
export function items<DataSet extends DicomValues>(dataset: DataSet, tag: string): DataSet[] {
  const values: readonly unknown[] = dataset[tag]?.Value ?? [];
  return values.filter((value): value is DataSet => typeof value === 'object' && value !== null);
}

/** Returns the first value as a number; undefined when there is no value or it is not a number. */
export function number(dataset: DicomValues, tag: string): number | undefined {
  const value = Number(text(dataset, tag) ?? NaN);
  return Number.isFinite(value) ? value : undefined;
}

/** Default limit for the elements and values of one stored object (DW-24); a tenant may set another. */
export const OBJECT_ELEMENTS = 100_000;

export const TransferSyntax = {
  ImplicitVRLittleEndian: '1.2.840.10008.1.2',
  ExplicitVRLittleEndian: '1.2.840.10008.1.2.1',
  DeflatedExplicitVRLittleEndian: '1.2.840.10008.1.2.1.99',
  ExplicitVRBigEndian: '1.2.840.10008.1.2.2',
  JPEGLSLossless: '1.2.840.10008.1.2.4.80',
  JPEG2000Lossless: '1.2.840.10008.1.2.4.90',
  HTJ2KLossless: '1.2.840.10008.1.2.4.201',
  HTJ2KLosslessRPCL: '1.2.840.10008.1.2.4.202',
  RLELossless: '1.2.840.10008.1.2.5',
  DeflatedImageFrameCompression: '1.2.840.10008.1.2.8.1',
} as const;

/**
 * Returns true for MPEG-2, H.264 and H.265, whose pixel data are one stream of video; with `.1`, in several fragments (PS3.6
 * Annex A).
 */
export function isVideo(transferSyntax: string): boolean {
  return /^1\.2\.840\.10008\.1\.2\.4\.10([0-6](\.1)?|[78])$/.test(transferSyntax);
}

/** Returns the media type of one frame (PS3.18 §8.7.3.3); octets for uncompressed pixel data. */
export function frameMediaType(transferSyntax: string): string {
  return FRAME_MEDIA_TYPES[transferSyntax] ?? 'application/octet-stream';
}

const FRAME_MEDIA_TYPES: Record<string, string> = {
  '1.2.840.10008.1.2.4.50': 'image/jpeg',
  '1.2.840.10008.1.2.4.51': 'image/jpeg',
  '1.2.840.10008.1.2.4.53': 'image/jpeg',
  '1.2.840.10008.1.2.4.55': 'image/jpeg',
  '1.2.840.10008.1.2.4.57': 'image/jpeg',
  '1.2.840.10008.1.2.4.70': 'image/jpeg',
  '1.2.840.10008.1.2.4.80': 'image/jls',
  '1.2.840.10008.1.2.4.81': 'image/jls',
  '1.2.840.10008.1.2.4.90': 'image/jp2',
  '1.2.840.10008.1.2.4.91': 'image/jp2',
  '1.2.840.10008.1.2.4.92': 'image/jp2',
  '1.2.840.10008.1.2.4.93': 'image/jp2',
  '1.2.840.10008.1.2.4.201': 'image/jphc',
  '1.2.840.10008.1.2.4.202': 'image/jphc',
  '1.2.840.10008.1.2.4.203': 'image/jphc',
  '1.2.840.10008.1.2.5': 'image/dicom-rle',
  '1.2.840.10008.1.2.8.1': 'application/x-deflate',
};
