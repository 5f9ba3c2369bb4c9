import { NODULE, SIZE, SPACING } from './chest-anatomy.ts';
import type { Element } from './dicom-file.ts';
import { CT_IMAGE_STORAGE } from './phantom.ts';
import {
  demoUid,
  studyUid,
  type DemoStudy,
  type DoseReport,
  type KeyImages,
  type NoduleReport,
} from './stories.ts';
import {
  code,
  container,
  dateTime,
  line,
  image,
  KEY_OBJECT_SELECTION,
  measurement,
  personName,
  structuredReportFile,
  text,
  uidReference,
  type Code,
  type ContentItem,
  type ImageReference,
} from './structured-report.ts';

type Study = Pick<DemoStudy, 'key' | 'date' | 'time'>;

const COMPREHENSIVE_SR = '1.2.840.10008.5.1.4.1.1.88.33';
const X_RAY_RADIATION_DOSE_SR = '1.2.840.10008.5.1.4.1.1.88.67';

const dcm = (value: string, meaning: string): Code => [value, 'DCM', meaning];
const sct = (value: string, meaning: string): Code => [value, 'SCT', meaning];
const MODIFIES = { relationship: 'HAS CONCEPT MOD' } as const;
const OBSERVES = { relationship: 'HAS OBS CONTEXT' } as const;

/** Writes a report as a DICOM file. @param identity patient, study, series and instance */
export function reportFile(
  report: NoduleReport | DoseReport | KeyImages,
  study: Study,
  identity: readonly Element[],
): Buffer {
  if (report.kind === 'key-images') return keyImagesFile(report, identity);
  return report.kind === 'nodule' ? noduleFile(report, study, identity) : doseFile(report, study, identity);
}

/** Returns the reference to an image of the phantom. @param study its key */
export function phantomImage(study: string, series: number, instance: number): ImageReference {
  return {
    sopClass: CT_IMAGE_STORAGE,
    studyUid: studyUid(study),
    seriesUid: demoUid('series', study, series),
    sopInstance: demoUid('instance', study, series, instance),
  };
}

/** Key Object Selection (PS3.16 TID 2010). */
function keyImagesFile({ words, images }: KeyImages, identity: readonly Element[]): Buffer {
  const evidence = images.map(([study, series, instance]) => phantomImage(study, series, instance));
  const root = container(dcm('113000', 'Of Interest'), [
    code(dcm('121005', 'Observer Type'), dcm('121006', 'Person'), OBSERVES),
    personName(dcm('121008', 'Person Observer Name'), 'Tanaka^Haruto', OBSERVES),
    text(dcm('113012', 'Key Object Description'), words),
    ...evidence.map((reference) => image(reference)),
  ]);
  return structuredReportFile({ sopClass: KEY_OBJECT_SELECTION, template: '2010', root, evidence }, identity);
}

/** Measurement Report (PS3.16 TID 1500) with one group (TID 1501), which the next study's report continues. */
function noduleFile(report: NoduleReport, study: Study, identity: readonly Element[]): Buffer {
  const { series, instance, longAxis, shortAxis } = report;
  const measured = phantomImage(study.key, series, instance);
  const column = NODULE.x / SPACING + SIZE / 2;
  const row = NODULE.y / SPACING + SIZE / 2;
  const diameter = (name: Code, value: number, [dx, dy]: readonly [number, number]): ContentItem => {
    const [x, y] = [(dx * value) / SPACING / 2, (dy * value) / SPACING / 2];
    const points: [number, number][] = [
      [column - x, row - y],
      [column + x, row + y],
    ];
    const items = [line(dcm('121055', 'Path'), points, measured)];
    return measurement(name, [value, 'mm', 'millimeter'], { items });
  };
  const side = code(sct('272741003', 'Laterality'), sct('24028007', 'Right'), MODIFIES);
  const site = sct('45653009', 'Structure of upper lobe of lung');
  const root = container(dcm('126000', 'Imaging Measurement Report'), [
    code(dcm('121049', 'Language of Content Item and Descendants'), ['en', 'RFC5646', 'English'], MODIFIES),
    code(dcm('121005', 'Observer Type'), dcm('121006', 'Person'), OBSERVES),
    personName(dcm('121008', 'Person Observer Name'), 'Tanaka^Haruto', OBSERVES),
    code(dcm('121058', 'Procedure reported'), ['29252-6', 'LN', 'CT Chest WO contrast'], MODIFIES),
    container(dcm('111028', 'Image Library'), [
      container(dcm('126200', 'Image Library Group'), [image(measured)]),
    ]),
    container(dcm('126010', 'Imaging Measurements'), [
      container(dcm('125007', 'Measurement Group'), [
        text(dcm('112039', 'Tracking Identifier'), 'Nodule 1', OBSERVES),
        uidReference(
          dcm('112040', 'Tracking Unique Identifier'),
          demoUid('tracking', 'castellanos nodule 1'),
          OBSERVES,
        ),
        code(dcm('121071', 'Finding'), sct('27925004', 'Nodule')),
        code(sct('363698007', 'Finding Site'), site, { ...MODIFIES, items: [side] }),
        diameter(sct('103339001', 'Long Axis'), longAxis, [1, 0]),
        diameter(sct('103340004', 'Short Axis'), shortAxis, [0, 1]),
      ]),
    ]),
  ]);
  return structuredReportFile(
    { sopClass: COMPREHENSIVE_SR, template: '1500', root, evidence: [measured] },
    identity,
  );
}

/** X-Ray Radiation Dose Report of a CT (PS3.16 TID 10011). */
function doseFile({ ctdiVol, length }: DoseReport, study: Study, identity: readonly Element[]): Buffer {
  const scout = {
    protocol: 'Localizer',
    type: dcm('113805', 'Constant Angle Acquisition'),
    ctdiVol: 0.06,
    length: 310,
  };
  const spiral = {
    protocol: 'Chest, low dose',
    type: sct('116152004', 'Spiral Acquisition'),
    ctdiVol,
    length,
  };
  const total = rounded(doseLength(scout) + doseLength(spiral));
  const device = demoUid('device', 'synthetic chest phantom');
  const start = `${study.date}${study.time}`;
  const root = container(dcm('113701', 'X-Ray Radiation Dose Report'), [
    code(dcm('121058', 'Procedure reported'), sct('77477000', 'Computed Tomography X-Ray'), {
      ...MODIFIES,
      items: [code(sct('363703001', 'Has Intent'), sct('261004008', 'Diagnostic Intent'), MODIFIES)],
    }),
    code(dcm('121005', 'Observer Type'), dcm('121007', 'Device'), OBSERVES),
    uidReference(dcm('121012', 'Device Observer UID'), device, OBSERVES),
    text(dcm('121013', 'Device Observer Name'), 'Synthetic chest phantom', OBSERVES),
    dateTime(dcm('113809', 'Start of X-Ray Irradiation'), start),
    dateTime(dcm('113810', 'End of X-Ray Irradiation'), String(Number(start) + 40)),
    code(dcm('113705', 'Scope of Accumulation'), dcm('113014', 'Study'), {
      ...OBSERVES,
      items: [
        uidReference(dcm('110180', 'Study Instance UID'), studyUid(study.key), {
          relationship: 'HAS PROPERTIES',
        }),
      ],
    }),
    container(dcm('113811', 'CT Accumulated Dose Data'), [
      measurement(dcm('113812', 'Total Number of Irradiation Events'), [2, '{events}', 'events']),
      measurement(dcm('113813', 'CT Dose Length Product Total'), [total, 'mGy.cm', 'mGy.cm']),
    ]),
    acquisition(study, 1, scout),
    acquisition(study, 2, spiral),
    code(dcm('113854', 'Source of Dose Information'), dcm('113856', 'Automated Data Collection')),
  ]);
  return structuredReportFile(
    { sopClass: X_RAY_RADIATION_DOSE_SR, template: '10011', root, evidence: [] },
    identity,
  );
}

interface Exposure {
  protocol: string;
  type: Code;
  /** mGy. */
  ctdiVol: number;
  /** mm. */
  length: number;
}

/** CT Irradiation Event Data (PS3.16 TID 10013). */
function acquisition(
  study: Study,
  number: number,
  { protocol, type, ctdiVol, length }: Exposure,
): ContentItem {
  return container(dcm('113819', 'CT Acquisition'), [
    text(dcm('125203', 'Acquisition Protocol'), protocol),
    code(dcm('123014', 'Target Region'), sct('51185008', 'Chest')),
    code(dcm('113820', 'CT Acquisition Type'), type),
    uidReference(dcm('113769', 'Irradiation Event UID'), demoUid('irradiation', study.key, number)),
    container(dcm('113822', 'CT Acquisition Parameters'), [
      measurement(dcm('113824', 'Exposure Time'), [6, 's', 'second']),
      measurement(dcm('113825', 'Scanning Length'), [length, 'mm', 'millimeter']),
      measurement(dcm('113826', 'Nominal Single Collimation Width'), [0.6, 'mm', 'millimeter']),
      measurement(dcm('113827', 'Nominal Total Collimation Width'), [38.4, 'mm', 'millimeter']),
      measurement(dcm('113823', 'Number of X-Ray Sources'), [1, '{X-Ray sources}', 'X-Ray sources']),
      container(dcm('113831', 'CT X-Ray Source Parameters'), [
        text(dcm('113832', 'Identification of the X-Ray Source'), 'A'),
        measurement(dcm('113733', 'KVP'), [120, 'kV', 'kilovolt']),
        measurement(dcm('113833', 'Maximum X-Ray Tube Current'), [60, 'mA', 'milliampere']),
        measurement(dcm('113734', 'X-Ray Tube Current'), [40, 'mA', 'milliampere']),
      ]),
    ]),
    container(dcm('113829', 'CT Dose'), [
      measurement(dcm('113830', 'Mean CTDIvol'), [ctdiVol, 'mGy', 'milligray']),
      code(dcm('113835', 'CTDIw Phantom Type'), dcm('113691', 'IEC Body Dosimetry Phantom')),
      measurement(dcm('113838', 'DLP'), [doseLength({ ctdiVol, length }), 'mGy.cm', 'mGy.cm']),
    ]),
    code(dcm('113876', 'Device Role in Procedure'), dcm('113859', 'Irradiating Device')),
  ]);
}

/** Returns the dose length product in mGy.cm, with one decimal. */
function doseLength({ ctdiVol, length }: Pick<Exposure, 'ctdiVol' | 'length'>): number {
  return rounded((ctdiVol * length) / 10);
}

const rounded = (value: number) => Math.round(value * 10) / 10;
