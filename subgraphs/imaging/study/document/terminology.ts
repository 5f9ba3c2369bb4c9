import type { Coding } from 'fhir/r4.js';

/** Codes of the DICOM Controlled Terminology (PS3.16 annex D) and their equivalents in SNOMED CT (PS3.16 annex L). */

const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const SNOMED = 'http://snomed.info/sct';

/** Returns the coding of a modality (PS3.16 CID 29 and related groups); `OT`, other, if the object states none. */
export function modalityCoding(code: string | undefined): Coding {
  const value = code?.toUpperCase() ?? 'OT';
  const display = MODALITIES[value];
  return { system: DCM, code: value, ...(display && { display }) };
}

/**
 * Returns the coding of a body part examined. A term that is not in the table keeps its text, without a code system.
 */
export function bodySiteCoding(term: string): Coding {
  const [code, display] = BODY_PARTS[term.toUpperCase().replace(/[^A-Z]/g, '')] ?? [];
  return code ? { system: SNOMED, code, display: display! } : { code: term, display: term };
}

/** Returns the DICOM term of a body site; undefined for a code that is not in the table. */
export function bodyPartTerm({ system, code = '' }: Coding): string | undefined {
  if (system === undefined) return code.toUpperCase() || undefined;
  const [term] = (system === SNOMED && Object.entries(BODY_PARTS).find(([, [one]]) => one === code)) || [];
  return term;
}

/** Returns the coding of an image laterality `L`, `R` or `B` (PS3.3 §C.7.3.1); undefined for anything else. */
export function lateralityCoding(code: string | undefined): Coding | undefined {
  const [snomed, display] = LATERALITIES[code?.toUpperCase() ?? ''] ?? [];
  return snomed ? { system: SNOMED, code: snomed, display: display! } : undefined;
}

const LATERALITIES: Record<string, readonly [code: string, display: string]> = {
  L: ['7771000', 'Left'],
  R: ['24028007', 'Right'],
  B: ['51440002', 'Right and left'],
};

const MODALITIES: Record<string, string> = {
  CR: 'Computed Radiography',
  CT: 'Computed Tomography',
  DX: 'Digital Radiography',
  ECG: 'Electrocardiography',
  ES: 'Endoscopy',
  IVUS: 'Intravascular Ultrasound',
  KO: 'Key Object Selection',
  MG: 'Mammography',
  MR: 'Magnetic Resonance',
  NM: 'Nuclear Medicine',
  OP: 'Ophthalmic Photography',
  OPT: 'Ophthalmic Tomography',
  OT: 'Other',
  PR: 'Presentation State',
  PT: 'Positron emission tomography',
  REG: 'Registration',
  RF: 'Radiofluoroscopy',
  RTDOSE: 'Radiotherapy Dose',
  RTIMAGE: 'Radiotherapy Image',
  RTPLAN: 'Radiotherapy Plan',
  RTSTRUCT: 'Radiotherapy Structure Set',
  SEG: 'Segmentation',
  SM: 'Slide Microscopy',
  SR: 'Structured Report Document',
  US: 'Ultrasound',
  XA: 'X-Ray Angiography',
  XC: 'External-camera Photography',
};

const BODY_PARTS: Record<string, readonly [code: string, display: string]> = {
  ABDOMEN: ['818983003', 'Abdomen'],
  ANKLE: ['70258002', 'Ankle joint'],
  BRAIN: ['12738006', 'Brain'],
  BREAST: ['76752008', 'Breast'],
  CHEST: ['51185008', 'Chest'],
  CSPINE: ['122494005', 'Cervical spine'],
  FOOT: ['56459004', 'Foot'],
  HAND: ['85562004', 'Hand'],
  HEAD: ['69536005', 'Head'],
  HEART: ['80891009', 'Heart'],
  HIP: ['24136001', 'Hip joint'],
  KIDNEY: ['64033007', 'Kidney'],
  KNEE: ['72696002', 'Knee'],
  LIVER: ['10200004', 'Liver'],
  LSPINE: ['122496007', 'Lumbar spine'],
  LUNG: ['39607008', 'Lung'],
  NECK: ['45048000', 'Neck'],
  PELVIS: ['12921003', 'Pelvis'],
  PROSTATE: ['41216001', 'Prostate'],
  SHOULDER: ['16982005', 'Shoulder'],
  SKULL: ['89546000', 'Skull'],
  SPINE: ['421060004', 'Spine'],
  TSPINE: ['122495006', 'Thoracic spine'],
};
