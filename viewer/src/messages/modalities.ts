import { m } from './compiled/messages.js';

/** Words for a patient, or for a clinician. */
export type Wording = 'plain' | 'clinical';

/** Plain names of DICOM modalities (PS3.16 CID 33). */
const PLAIN: Record<string, () => string> = {
  CT: m.modalityCt,
  MR: m.modalityMr,
  US: m.modalityUs,
  XA: m.modalityXa,
  CR: m.modalityXray,
  DX: m.modalityXray,
  MG: m.modalityMg,
  NM: m.modalityNm,
  PT: m.modalityPt,
  RF: m.modalityRf,
  ECG: m.modalityEcg,
  SR: m.modalitySr,
  SEG: m.modalitySeg,
  DOC: m.modalityDoc,
  XC: m.modalityPhoto,
  OT: m.modalityOther,
};

/** Returns the name of a modality: `MRI` in plain words, `MR` in clinical ones. An unknown code stays as it is. */
export function modalityName(code: string, wording: Wording): string {
  return wording === 'plain' ? (PLAIN[code]?.() ?? code) : code;
}

/** Returns the modalities of a study: `PET scan, CT scan`. */
export function modalityNames(codes: readonly string[], wording: Wording): string {
  return [...new Set(codes.map((code) => modalityName(code, wording)))].join(', ');
}
