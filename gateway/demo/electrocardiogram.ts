import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';
import { codeSequence, identityOfDocument, type Code } from './structured-report.ts';

/** A computed electrocardiogram of twelve leads. */
export interface Recording {
  /** Beats per minute. */
  rate: number;
  seconds: number;
}

const TWELVE_LEAD_ECG = '1.2.840.10008.5.1.4.1.1.9.1.1';
/** Hz. */
export const FREQUENCY = 500;
/** µV of one step of a sample. */
export const SENSITIVITY = 2.5;

/** Waves of a beat: seconds after the P wave has begun, and width as standard deviation in seconds. */
const WAVES = {
  P: [0.06, 0.022],
  Q: [0.168, 0.009],
  R: [0.19, 0.011],
  S: [0.215, 0.01],
  T: [0.42, 0.045],
} as const;
type Amplitudes = Readonly<Record<keyof typeof WAVES, number>>;

/** Amplitudes in µV of the leads from which the others of the limbs follow (Einthoven, Goldberger), and of the chest. */
const MEASURED: Readonly<Record<string, Amplitudes>> = {
  I: { P: 70, Q: -60, R: 650, S: -120, T: 180 },
  II: { P: 130, Q: -80, R: 1050, S: -160, T: 270 },
  V1: { P: 60, Q: 0, R: 220, S: -950, T: -80 },
  V2: { P: 70, Q: 0, R: 450, S: -1250, T: 350 },
  V3: { P: 70, Q: 0, R: 800, S: -850, T: 420 },
  V4: { P: 75, Q: -50, R: 1300, S: -480, T: 390 },
  V5: { P: 75, Q: -80, R: 1200, S: -210, T: 320 },
  V6: { P: 70, Q: -80, R: 950, S: -80, T: 250 },
};

/** Leads in the order of the channels, with their codes of PS3.16 CID 3001. */
const LEADS: readonly (readonly [name: string, code: string])[] = [
  ['I', '2:1'],
  ['II', '2:2'],
  ['III', '2:61'],
  ['aVR', '2:62'],
  ['aVL', '2:63'],
  ['aVF', '2:64'],
  ...['V1', 'V2', 'V3', 'V4', 'V5', 'V6'].map((name, n) => [name, `2:${n + 3}`] as const),
];

/** Returns the voltages of all leads at a time in seconds, in µV. */
function voltages(rate: number, time: number): number[] {
  const beat = time % (60 / rate);
  const lead = (name: string) => {
    const amplitudes = MEASURED[name]!;
    return Object.entries(WAVES).reduce(
      (sum, [wave, [at, width]]) =>
        sum + amplitudes[wave as keyof Amplitudes] * Math.exp(-((beat - at) ** 2) / (2 * width ** 2)),
      0,
    );
  };
  const [one, two] = [lead('I'), lead('II')];
  const limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2];
  return [...limbs, ...LEADS.slice(limbs.length).map(([name]) => lead(name))];
}

const element = (tag: number, vr: string, value: Element['value']): Element => ({ tag, vr, value });
const uint32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

function channel([name, lead]: (typeof LEADS)[number]): Element[] {
  const source: Code = [lead, 'MDC', `Lead ${name}`];
  return [
    element(0x003a0203, 'SH', name),
    codeSequence(0x003a0208, source),
    element(0x003a0210, 'DS', String(SENSITIVITY)),
    codeSequence(0x003a0211, ['uV', 'UCUM', 'microvolt']),
    element(0x003a0212, 'DS', '1'),
    element(0x003a0213, 'DS', '0'),
    element(0x003a0215, 'DS', '0'),
    element(0x003a021a, 'US', [16]),
  ];
}

/**
 * Writes a 12-lead ECG (PS3.3 §A.34.3): one multiplex group of all leads, 16 bits signed, the same on every machine.
 * @param identity patient, study, series and instance, as `identityElements` gives them
 */
export function electrocardiogramFile(
  { rate, seconds }: Recording,
  study: { date: string; time: string },
  identity: readonly Element[],
): Buffer {
  const count = seconds * FREQUENCY;
  const samples = new Int16Array(count * LEADS.length);
  for (let n = 0; n < count; n++)
    voltages(rate, n / FREQUENCY).forEach((voltage, lead) => {
      samples[n * LEADS.length + lead] = Math.round(voltage / SENSITIVITY);
    });
  const group = [
    element(0x003a0004, 'CS', 'ORIGINAL'),
    element(0x003a0005, 'US', [LEADS.length]),
    element(0x003a0010, 'UL', uint32(count)),
    element(0x003a001a, 'DS', String(FREQUENCY)),
    element(0x003a0020, 'SH', 'RHYTHM'),
    element(0x003a0200, 'SQ', LEADS.map(channel)),
    element(0x54001004, 'US', [16]),
    element(0x54001006, 'CS', 'SS'),
    element(0x54001010, 'OW', new Uint8Array(samples.buffer)),
  ];
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, [
    ...identityOfDocument(identity),
    element(0x00080016, 'UI', TWELVE_LEAD_ECG),
    element(0x0008002a, 'DT', `${study.date}${study.time}`),
    element(0x00080060, 'CS', 'ECG'),
    element(0x00080070, 'LO', 'SMART Imaging Gateway'),
    element(0x00081090, 'LO', 'Computed electrocardiogram'),
    element(0x00181000, 'LO', 'DEMO-1'),
    element(0x00181020, 'LO', '1'),
    element(0x00400555, 'SQ', []),
    element(0x54000100, 'SQ', [group]),
  ]);
}
