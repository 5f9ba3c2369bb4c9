/** Which structured reports of a study are read, and how much (FG-18). */
import { afterAll, expect, test } from 'vitest';
import { num, srJson } from '../../../gateway/test/setup/sr-objects.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { ParsingThreads } from '../threads/parsing-threads.ts';
import { studyReports } from './measured-reports.ts';
import type { AuthorizedStudies } from './authorized-studies.ts';
import type { Study } from './study.ts';

const threads = new ParsingThreads();
afterAll(() => threads.close());

const report = srJson({
  studyUid: '1.2.3',
  patientId: 'P',
  title: 'DCM 126000 Imaging Measurement Report',
  children: [num('SCT 81827009 Diameter', '3', 'UCUM mm millimeter')],
});
const series = (uid: string, modality = 'SR', instances = 1): DicomJson => ({
  '0020000E': { vr: 'UI', Value: [uid] },
  '00080060': { vr: 'CS', Value: [modality] },
  '00201209': { vr: 'IS', Value: [instances] },
});

/** Reads the reports of series, each as its answer says. */
async function read(rows: readonly DicomJson[], answer: (seriesUid: string) => Buffer | Fault) {
  const asked: string[] = [];
  const study = {
    async encodedMetadata({ seriesUid }: { seriesUid: string }) {
      asked.push(seriesUid);
      const given = answer(seriesUid);
      if (given instanceof Fault) throw given;
      return { encoded: async () => given };
    },
  } as unknown as Study;
  const imaging: Pick<AuthorizedStudies, 'read'> = { read: (_target, _part, work) => work(study) };
  const found = await studyReports(imaging, threads, { studyUid: '1.2.3', series: rows });
  return { ...found, asked, codes: found.failed.map(({ code }) => code) };
}
const json = Buffer.from(JSON.stringify([report]));

test('FG-18 only series of modality SR are read', async () => {
  const { asked, observations } = await read(
    [series('1', 'CT'), series('2'), series('3', 'SEG')],
    () => json,
  );
  expect(asked).toEqual(['2']);
  expect(observations).toHaveLength(1);
});

test('FG-18 an object of modality SR that is no structured report is left out', async () => {
  const image = { ...report, '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.7'] } };
  const keys = { ...report, '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.88.59'] } };
  const { observations, failed } = await read([series('1')], () =>
    Buffer.from(JSON.stringify([image, keys])),
  );
  expect([observations, failed]).toEqual([[], []]);
});

test('FG-18 a series that cannot be read does not hide the others', async () => {
  const away = new Fault('unavailable', 'Away.', { service: 'imaging' });
  const { observations, codes } = await read([series('1'), series('2')], (uid) =>
    uid === '1' ? away : json,
  );
  expect(observations).toHaveLength(1);
  expect(codes).toEqual(['unavailable']);
});

test('FG-18 reports of more than 16 MB, and more than 100 reports, are refused and not read', async () => {
  const large = Buffer.alloc(16 * 1024 * 1024 + 1, ' ');
  const { observations, codes } = await read([series('1'), series('2')], (uid) =>
    uid === '1' ? large : json,
  );
  expect([observations.length, codes]).toEqual([1, ['too_large']]);
  const many = await read([series('1'), series('2', 'SR', 100)], () => json);
  expect([many.asked, many.codes]).toEqual([['1'], ['too_large']]);
  expect(many.failed[0]!.message).toMatch(/more than 100 structured reports/);
});
