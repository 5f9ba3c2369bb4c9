import type { Element } from './dicom-file.ts';
import type { Demographics } from './patients.ts';
import { demoUid, studyUid, type Corrections, type DemoStudy } from './stories.ts';

/** Returns the age in whole years on a day as a DICOM AS value; both dates are `YYYYMMDD`. */
function ageOn(birthDate: string, date: string): string {
  const years = Math.floor((Number(date) - Number(birthDate)) / 10_000);
  return `${String(years).padStart(3, '0')}Y`;
}

/**
 * Returns the attributes that make an instance part of its story: identity of patient, study, series and instance, dates,
 * institution, and a statement of where the pixels come from. It gives no time-zone offset, because none is known.
 */
export function identityElements(
  { patient, study }: { patient: Demographics; study: DemoStudy },
  series: { number: number; description: string },
  instanceNumber: number,
  { provenance, set = {} }: { provenance: string; set?: Corrections },
): Element[] {
  const optional: [number, string, string | undefined][] = [
    [0x00180015, 'CS', set.bodyPartExamined],
    [0x00200060, 'CS', set.laterality],
    [0x00281050, 'DS', set.windowCenter],
    [0x00281051, 'DS', set.windowWidth],
    [0x00282110, 'CS', set.lossyImageCompression],
  ];
  const elements: [number, string, string][] = [
    [0x00080005, 'CS', 'ISO_IR 192'],
    [0x00080018, 'UI', demoUid('instance', study.key, series.number, instanceNumber)],
    [0x00080020, 'DA', study.date],
    [0x00080021, 'DA', study.date],
    [0x00080022, 'DA', study.date],
    [0x00080023, 'DA', study.date],
    [0x00080030, 'TM', study.time],
    [0x00080031, 'TM', study.time],
    [0x00080032, 'TM', study.time],
    [0x00080033, 'TM', study.time],
    [0x00080050, 'SH', study.accession],
    [0x00080080, 'LO', 'Riverbend Imaging Center'],
    [0x00080090, 'PN', study.referrer],
    [0x00081030, 'LO', study.description],
    [0x0008103e, 'LO', series.description],
    [0x00100010, 'PN', patient.name],
    [0x00100020, 'LO', study.patientId ?? patient.patientId],
    [0x00100021, 'LO', patient.issuer],
    [0x00100030, 'DA', patient.birthDate],
    [0x00100040, 'CS', patient.sex],
    [0x00101010, 'AS', ageOn(patient.birthDate, study.date)],
    [0x00120062, 'CS', 'YES'],
    [0x00120063, 'LO', 'Attributes kept by list; identity is fictional'],
    [0x0020000d, 'UI', studyUid(study.key)],
    [0x0020000e, 'UI', demoUid('series', study.key, series.number)],
    [0x00200010, 'SH', study.accession],
    [0x00200011, 'IS', String(series.number)],
    [0x00200013, 'IS', String(instanceNumber)],
    [0x00200052, 'UI', demoUid('frame of reference', study.key)],
    [0x00201040, 'LO', ''],
    [0x00204000, 'LT', `Demonstration; the patient is fictional. ${provenance}`],
    [0x00280301, 'CS', set.burnedInAnnotation ?? 'NO'],
    [0x00280303, 'CS', 'MODIFIED'],
  ];
  for (const [tag, vr, value] of optional) if (value !== undefined) elements.push([tag, vr, value]);
  return elements.map(([tag, vr, value]) => ({ tag, vr, value }));
}
