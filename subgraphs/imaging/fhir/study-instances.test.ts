import type { ImagingStudy } from 'fhir/r4.js';
import { expect, test } from 'vitest';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { addInstances } from './study-instances.ts';

const CT = { system: 'http://dicom.nema.org/resources/ontology/DCM', code: 'CT' };

function row(seriesUid: string, number: number): DicomJson {
  return {
    [Tag.SeriesInstanceUID]: { vr: 'UI', Value: [seriesUid] },
    [Tag.SOPInstanceUID]: { vr: 'UI', Value: [`${seriesUid}.${number}`] },
    [Tag.SOPClassUID]: { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.2'] },
    [Tag.InstanceNumber]: { vr: 'IS', Value: [number] },
  };
}
const rows = [row('1.1', 2), row('1.2', 1), row('1.1', 1)];

/** A study of two series, with the counts that an archive gives. */
const studyOf = (ofStudy?: number, ofSeries?: number): ImagingStudy => ({
  resourceType: 'ImagingStudy',
  status: 'available',
  subject: { reference: 'Patient/1' },
  ...(ofStudy !== undefined && { numberOfInstances: ofStudy }),
  series: ['1.1', '1.2'].map((uid) => ({
    uid,
    modality: CT,
    ...(ofSeries !== undefined && { numberOfInstances: ofSeries }),
  })),
});

test.each<[what: string, study: ImagingStudy, counts: number[]]>([
  ['are the instances where the archive gives none', studyOf(), [3, 2, 1]],
  ['are those of the archive where it gives them', studyOf(9, 5), [9, 5, 5]],
])('IA-16 the counts of a study and its series %s', (_what, study, counts) => {
  const { numberOfInstances, series = [] } = addInstances(study, rows);
  expect([numberOfInstances, ...series.map((one) => one.numberOfInstances)]).toEqual(counts);
  expect(series.map(({ instance = [] }) => instance.map(({ uid }) => uid))).toEqual([
    ['1.1.1', '1.1.2'],
    ['1.2.1'],
  ]);
});
