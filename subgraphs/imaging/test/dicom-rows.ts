/** Rows of whole studies from the shared DICOM files, read by dcmjs, as a QIDO-RS server would answer. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { sharedDataPath, sharedDicomFiles } from '../../../gateway/test/setup/shared-data.ts';
import type { StudyRecord } from '../study/study-records.ts';

/** The used part of dcmjs, which has no types. */
const { data, log } = createRequire(import.meta.url)('dcmjs') as {
  data: { DicomMessage: { readFile(bytes: ArrayBuffer, options: object): { dict: DicomJson } } };
  log: { setLevel(level: string): void };
};
log.setLevel('silent');

/** Returns every study of the shared data, with series and instances. */
export function sharedStudies(patientId?: string): StudyRecord[] {
  const studies = new Map<string, DicomJson[]>();
  for (const { file, studyUid } of sharedDicomFiles()) {
    if (!studyUid) continue;
    const { buffer } = new Uint8Array(readFileSync(sharedDataPath('dicom', file)));
    const { dict } = data.DicomMessage.readFile(buffer, { untilTag: Tag.PixelData, ignoreErrors: true });
    const dataset = JSON.parse(JSON.stringify(dict)) as DicomJson;
    studies.set(studyUid, [...(studies.get(studyUid) ?? []), dataset]);
  }
  return [...studies.values()].map((instances) => studyRecord(instances, patientId));
}

/** Converts instances of one study to study, series and instance rows. */
function studyRecord(instances: DicomJson[], patientId?: string): StudyRecord {
  const series = new Map<string, DicomJson[]>();
  for (const instance of instances) {
    const uid = text(instance, Tag.SeriesInstanceUID) ?? '';
    series.set(uid, [...(series.get(uid) ?? []), instance]);
  }
  const count = (value: number) => ({ vr: 'IS', Value: [value] });
  return {
    ...(patientId && { patientId }),
    study: {
      ...instances[0]!,
      [Tag.ModalitiesInStudy]: {
        vr: 'CS',
        Value: [...new Set(instances.map((instance) => text(instance, Tag.Modality) ?? ''))],
      },
      [Tag.NumberOfStudyRelatedSeries]: count(series.size),
      [Tag.NumberOfStudyRelatedInstances]: count(instances.length),
    },
    series: [...series.values()].map((members) => ({
      ...members[0]!,
      [Tag.NumberOfSeriesRelatedInstances]: count(members.length),
    })),
    instances,
  };
}
