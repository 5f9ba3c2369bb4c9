import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../../demo/dicom-file.ts';

/** Attributes of a study that tests choose; all others are the same in every study. */
export interface SmallStudy {
  studyUid: string;
  patientId: string;
  issuer?: string;
  /** A second PatientID, in Other Patient IDs Sequence. */
  otherPatientId?: string;
  /** DICOM date. */
  birthDate?: string;
  accessionNumber?: string;
  /** OID of the issuer of the accession number. */
  accessionIssuer?: string;
  modality?: string;
  /** DICOM date of the study. Default 20240101. */
  date?: string;
  /** DICOM time of the study. */
  time?: string;
  /** Timezone Offset From UTC. */
  zone?: string;
  /** Number of the series. Default 1. */
  series?: number;
  /** Default 1. */
  instances?: number;
  description?: string;
  /** Body Part Examined. */
  bodyPart?: string;
  /** Rows and columns. Default 4. */
  side?: number;
  /** Repeated in the pixels. Default: the number of the instance. */
  pixels?: string | Buffer;
}

/**
 * Writes Part 10 files of one series of a study, `{study}.1`, with the instances `{study}.1.{number}`: 4 × 4 pixels
 * by default.
 */
export function smallObjects(study: SmallStudy): Buffer[] {
  const {
    studyUid,
    patientId,
    issuer,
    birthDate,
    accessionNumber,
    modality = 'CT',
    date = '20240101',
  } = study;
  const { instances = 1, side = 4, pixels, series = 1 } = study;
  const text = (tag: number, vr: string, value: string | undefined) =>
    value === undefined ? [] : [{ tag, vr, value }];
  return Array.from({ length: instances }, (_, index) =>
    writeDicomFile(
      EXPLICIT_LITTLE_ENDIAN,
      [
        { tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.7' },
        { tag: 0x00080018, vr: 'UI', value: `${studyUid}.${series}.${index + 1}` },
        { tag: 0x00080020, vr: 'DA', value: date },
        ...text(0x00080030, 'TM', study.time),
        { tag: 0x00080060, vr: 'CS', value: modality },
        ...text(0x00080050, 'SH', accessionNumber),
        ...(study.accessionIssuer ? [issuerSequence(study.accessionIssuer)] : []),
        ...text(0x00080201, 'SH', study.zone),
        ...text(0x00081030, 'LO', study.description),
        ...text(0x00180015, 'CS', study.bodyPart),
        { tag: 0x00100010, vr: 'PN', value: 'Test^Person' },
        { tag: 0x00100020, vr: 'LO', value: patientId },
        ...text(0x00100021, 'LO', issuer),
        ...text(0x00100030, 'DA', birthDate),
        ...(study.otherPatientId === undefined
          ? []
          : [{ tag: 0x00101002, vr: 'SQ', value: [text(0x00100020, 'LO', study.otherPatientId)] }]),
        { tag: 0x0020000d, vr: 'UI', value: studyUid },
        { tag: 0x0020000e, vr: 'UI', value: `${studyUid}.${series}` },
        { tag: 0x00200011, vr: 'IS', value: String(series) },
        { tag: 0x00200013, vr: 'IS', value: String(index + 1) },
        { tag: 0x00280002, vr: 'US', value: [1] },
        { tag: 0x00280004, vr: 'CS', value: 'MONOCHROME2' },
        { tag: 0x00280010, vr: 'US', value: [side] },
        { tag: 0x00280011, vr: 'US', value: [side] },
        { tag: 0x00280100, vr: 'US', value: [8] },
        { tag: 0x00280101, vr: 'US', value: [8] },
        { tag: 0x00280102, vr: 'US', value: [7] },
        { tag: 0x00280103, vr: 'US', value: [0] },
      ],
      { vr: 'OB', bytes: Buffer.alloc(side * side, pixels ?? index), encapsulated: false },
    ),
  );
}

/** Issuer of Accession Number Sequence, with an OID (PS3.3 §10.14). */
function issuerSequence(oid: string) {
  const item = [
    { tag: 0x00400032, vr: 'UT', value: oid },
    { tag: 0x00400033, vr: 'CS', value: 'ISO' },
  ];
  return { tag: 0x00080051, vr: 'SQ', value: [item] };
}
