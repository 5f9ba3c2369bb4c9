import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from '../dicom-file.ts';
import { identityElements } from '../identity.ts';
import type { InventedPerson, InventedStudy } from './person.ts';
import { ISSUER } from './record.ts';
import type { StudyKind } from './tables.ts';

/** Images of a study. */
const INSTANCES = 2;
/** Rows and columns. */
const SIZE = 32;
/** mm. */
const SPACING = 12;

/** SOP classes (PS3.4 §B.5). */
const SOP_CLASS: Record<StudyKind['modality'], string> = {
  CT: '1.2.840.10008.5.1.4.1.1.2',
  MR: '1.2.840.10008.5.1.4.1.1.4',
  CR: '1.2.840.10008.5.1.4.1.1.1',
  US: '1.2.840.10008.5.1.4.1.1.6.1',
  MG: '1.2.840.10008.5.1.4.1.1.1.2',
};

/** Yields the DICOM files of a study: one series of small computed pictures. */
export function* studyFiles(person: InventedPerson, study: InventedStudy): Generator<Buffer> {
  const { kind } = study;
  const patient = {
    name: `${person.family}^${person.given}`,
    patientId: person.number,
    issuer: ISSUER,
    birthDate: person.birthDate.replaceAll('-', ''),
    sex: person.sex === 'female' ? ('F' as const) : ('M' as const),
  };
  const story = {
    key: study.key,
    patient: person.id,
    accession: study.accession,
    date: study.date.replaceAll('-', ''),
    time: `${study.time.replace(':', '')}00`,
    description: kind.description,
    referrer: 'Okafor^Ngozi^^Dr.',
    series: [],
  };
  const provenance = 'Pixels: a disc, computed; no person was imaged.';
  for (let instance = 1; instance <= INSTANCES; instance++) {
    const identity = identityElements(
      { patient, study: story },
      { number: 1, description: kind.description },
      instance,
      { provenance, set: { bodyPartExamined: kind.bodyPart } },
    );
    const elements = [...identity, ...imageElements(kind, instance)];
    const bytes = new Uint8Array(disc(person.age / 100, instance).buffer);
    yield writeDicomFile(EXPLICIT_LITTLE_ENDIAN, elements, { vr: 'OW', bytes, encapsulated: false });
  }
}

function imageElements({ modality }: StudyKind, instance: number): Element[] {
  const position = 10 * (instance - 1);
  const elements: [number, string, string | number[]][] = [
    [
      0x00080008,
      'CS',
      modality === 'CT' || modality === 'MR' ? 'DERIVED\\SECONDARY\\AXIAL' : 'DERIVED\\SECONDARY',
    ],
    [0x00080016, 'UI', SOP_CLASS[modality]],
    [0x00080060, 'CS', modality],
    [0x00080070, 'LO', 'SMART Imaging Gateway'],
    [0x00200012, 'IS', '1'],
    [0x00280002, 'US', [1]],
    [0x00280004, 'CS', 'MONOCHROME2'],
    [0x00280010, 'US', [SIZE]],
    [0x00280011, 'US', [SIZE]],
    [0x00280100, 'US', [16]],
    [0x00280101, 'US', [12]],
    [0x00280102, 'US', [11]],
    [0x00280103, 'US', [0]],
    [0x00281050, 'DS', '1024'],
    [0x00281051, 'DS', '2048'],
  ];
  if (modality === 'CT' || modality === 'MR') {
    elements.push(
      [0x00180050, 'DS', '10'],
      [0x00185100, 'CS', 'HFS'],
      [0x00200032, 'DS', `${-(SIZE / 2) * SPACING}\\${-(SIZE / 2) * SPACING}\\${position}`],
      [0x00200037, 'DS', '1\\0\\0\\0\\1\\0'],
      [0x00280030, 'DS', `${SPACING}\\${SPACING}`],
    );
  }
  if (modality === 'CT') elements.push([0x00281052, 'DS', '-1024'], [0x00281053, 'DS', '1']);
  return elements.map(([tag, vr, value]) => ({ tag, vr, value }));
}

/** Returns a disc that is brighter in its middle: 12 bits. */
function disc(brightness: number, instance: number): Uint16Array {
  const pixels = new Uint16Array(SIZE * SIZE);
  const centre = (SIZE - 1) / 2;
  const radius = centre * (0.7 + 0.1 * instance);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const share = ((row - centre) ** 2 + (column - centre) ** 2) / radius ** 2;
      if (share <= 1) pixels[row * SIZE + column] = 700 + 1200 * (1 - share) * (0.5 + brightness);
    }
  }
  return pixels;
}
