import { expect, test } from 'vitest';
import type { DiagnosticReport, ImagingStudy, PatientRecord } from '../graph.ts';
import { reportText, studyKind, timelineEntries } from './entries.ts';

const study = {
  id: '1.2.3',
  started: '2026-03-12',
  description: null,
  modality: [{ code: 'MR' }],
} as ImagingStudy;
const imagingReport = {
  id: 'r1',
  effectiveDateTime: '2026-03-13',
  code: { text: 'MRI of the head', coding: null },
  ImagingStudyList: [{ id: '1.2.3' }],
} as DiagnosticReport;
const labReport = {
  id: 'r2',
  effectiveDateTime: '2026-05-01T08:00:00Z',
  code: { text: null, coding: [{ display: 'Metabolic panel' }] },
  ImagingStudyList: [],
} as unknown as DiagnosticReport;

const record = {
  ImagingStudyList: [study, null],
  DiagnosticReportList: [imagingReport, labReport],
  EncounterList: [
    { id: 'e1', period: { start: '2026-04-01' }, type: [{ text: 'Office visit', coding: null }] },
  ],
  ConditionList: [{ id: 'c1', onsetDateTime: null, code: { text: 'Migraine', coding: null } }],
} as unknown as PatientRecord;

test('entries are newest first, undated last; a study and its report are one entry', () => {
  const rows = timelineEntries(record).map(({ kind, title, reports }) => [kind, title, reports.length]);
  expect(rows).toEqual([
    ['report', 'Metabolic panel', 1],
    ['visit', 'Office visit', 0],
    ['study', 'MRI', 1],
    ['problem', 'Migraine', 0],
  ]);
});

test('without the image archive, the rest of the record is shown, with reports as entries of their own', () => {
  const titles = timelineEntries({ ...record, ImagingStudyList: null }).map(({ title }) => title);
  expect(titles).toContain('MRI of the head');
  expect(titles).toHaveLength(4);
});

test('a study lists all its modalities', () => {
  expect(studyKind({ modality: [{ code: 'PT' }, { code: 'CT' }] })).toBe('PET scan, CT scan');
});

test.each([
  [{ presentedForm: [{ contentType: 'text/plain; charset=utf-8', data: btoa('Größe') }] }, 'Gr\ufffd\ufffde'],
  [{ presentedForm: [{ contentType: 'text/plain', data: 'R3LDtsOfZQ==' }] }, 'Größe'],
  [{ presentedForm: [{ contentType: 'application/pdf', data: 'AAAA' }], conclusion: 'Normal.' }, 'Normal.'],
  [{ presentedForm: null, conclusion: null }, ''],
])('the text of report %#', (report, text) => expect(reportText(report as DiagnosticReport)).toBe(text));
