/** The chart that the answer of each example begins with. */
import { expect, test } from 'vitest';
import { EXAMPLES } from '../examples/examples.ts';
import { SQL_EXAMPLES } from '../sql/sql-examples.ts';
import { day, firstChart, of, rowsOf, tableOfRows } from '../../../test/setup/first-chart.ts';
import { firstOf, listsOf, nameOf, tableOf, withNames, type Data } from './lists.ts';

const SQL: Readonly<Record<string, { rows: readonly object[]; chart: string }>> = {
  'How many studies of each modality are there in each year?': {
    rows: rowsOf(12, (at) => ({
      modality: of(['CT', 'MR', 'US'], at),
      year: 2022 + (at % 4),
      studies: 5 + at,
    })),
    chart: 'Sum of studies by year',
  },
  'Which women with a diagnosis had a CT, and what was their last HbA1c?': {
    rows: rowsOf(40, (at) => ({
      study_id: `2.25.${at}`,
      patient_id: `p${at % 25}`,
      started: `${day(at)}T0${at % 9}:00:00Z`,
      birth_date: `19${50 + (at % 25)}-01-02`,
      hba1c: 5 + (at % 17) / 10,
    })),
    chart: 'hba1c over started: points',
  },
  'Which diagnoses are the most frequent?': {
    rows: rowsOf(20, (at) => ({ diagnosis: `Diagnosis ${at}`, patients: 900 - 40 * at })),
    chart: 'patients by diagnosis',
  },
  'How is a laboratory value spread over age and sex?': {
    rows: rowsOf(16, (at) => ({
      gender: of(['female', 'male'], at),
      decade: 10 * (at >> 1),
      n: 40 + at,
      median: 0.7 + at / 100,
      unit: 'mg/dL',
    })),
    chart: 'Average of median by decade',
  },
  'How many series and images does each study have?': {
    rows: rowsOf(3000, (at) => ({
      study_id: `2.25.${at}`,
      patient_id: `p${at % 1000}`,
      started: `${day(at)}T0${at % 9}:${10 + (at % 50)}:00Z`,
      description: `Study ${at % 23}`,
      modality: of(['CT', 'MR', 'US', 'CR'], at),
      series: 1,
      instances: 1 + (at % 3),
    })),
    chart: 'Rows by modality',
  },
};

test('each example of SQL has its chart', () => {
  const questions = SQL_EXAMPLES.map(({ question }) => question);
  expect(questions).toEqual(Object.keys(SQL));
  const charts = questions.map((question) => firstChart(tableOfRows(SQL[question]!.rows)));
  expect(charts).toEqual(questions.map((question) => SQL[question]!.chart));
});

const concept = (text: string, code = text.toLowerCase()) => ({ text, coding: [{ code, display: text }] });
const names = (at: number) => [
  { given: [of(['Ann', 'Ben', 'Eva'], at)], family: of(['Abt', 'Bo', 'Cruz', 'Diaz'], at) },
];
const facets = (values: readonly string[]) => values.map((value, at) => ({ value, count: 3 + at }));

/** Answers of the examples of GraphQL; `list` where another one than the first is looked at. */
const GRAPHQL: Readonly<Record<string, readonly { data: Data; list?: string; chart: string }[]>> = {
  'record-and-images': [
    {
      data: {
        Patient: {
          birthDate: '1971-03-02',
          ImagingStudyList: rowsOf(9, (at) => ({
            started: `${day(at)}T08:00:00Z`,
            description: `Study ${at}`,
            modality: [{ code: of(['CT', 'MR'], at) }],
            numberOfInstances: 10 + at,
            series: [
              { description: 'Axial', numberOfInstances: 9, thumbnailUrl: `http://x/${at}/thumbnail` },
            ],
          })),
        },
      },
      chart: 'Rows by modality.code',
    },
  ],
  timeline: [
    {
      data: {
        Patient: {
          timeline: {
            next: null,
            missing: [],
            entries: rowsOf(30, (at) => ({
              kind: of(['visit', 'study', 'result'], at),
              date: day(at),
              end: null,
              title: `Title ${at % 7}`,
              studies: at % 3 === 1 ? [{ id: `2.25.${at}`, description: 'CT' }] : [],
            })),
          },
        },
      },
      chart: 'Rows by kind',
    },
  ],
  'reports-with-images': [
    {
      data: {
        Patient: {
          DiagnosticReportList: rowsOf(8, (at) => ({
            effectiveDateTime: day(at),
            status: 'final',
            code: concept(of(['CT report', 'MR report', 'Laboratory'], at)),
            conclusion: `Conclusion ${at}`,
            ImagingStudyList:
              at % 3 < 2 ? [{ id: `2.25.${at}`, started: day(at), numberOfInstances: 10 + at }] : [],
          })),
        },
      },
      chart: 'Rows by code.text',
    },
  ],
  'results-around-a-study': [
    {
      data: {
        Patient: {
          ObservationList: rowsOf(10, (at) => ({
            effectiveDateTime: day(at),
            code: concept(of(['Creatinine', 'Potassium'], at)),
            valueQuantity: { value: 1 + at, unit: of(['mg/dL', 'mmol/L'], at) },
            interpretation: [{ coding: [{ code: of(['H', 'L'], at >> 1) }] }],
            referenceRange: [{ low: { value: 1 }, high: { value: 2 + (at % 2) } }],
          })),
          ImagingStudyList: [{ started: '2026-10-14', description: 'CT' }],
        },
      },
      chart: 'Rows by code.text',
    },
  ],
  trend: [
    {
      list: 'Patient.trend.series.points',
      data: {
        Patient: {
          trend: {
            series: [
              {
                title: 'Creatinine',
                unit: 'mg/dL',
                points: rowsOf(9, (at) => ({
                  date: day(at),
                  value: 0.8 + at / 10,
                  low: 0.6 + (at % 2) / 10,
                  high: 1.1,
                  flag: at > 4 ? 'high' : null,
                })),
              },
            ],
            events: rowsOf(5, (at) => ({ kind: 'study', date: day(at), title: 'CT' })),
          },
        },
      },
      chart: 'value over date: line',
    },
  ],
  'tumour-over-time': [
    {
      list: 'Patient.ImagingStudyList.measurements',
      data: {
        Patient: {
          ImagingStudyList: rowsOf(3, (study) => ({
            started: day(study),
            description: 'CT chest',
            measurements: rowsOf(2, (at) => ({
              code: { text: of(['Long axis', 'Short axis'], at) },
              valueQuantity: { value: 10 + study + at, code: 'mm' },
              bodySite: { text: 'Lung' },
              effectiveDateTime: day(study),
            })),
          })),
        },
      },
      chart: 'valueQuantity.value over effectiveDateTime: points',
    },
  ],
  'ct-since': [
    {
      data: {
        ImagingStudyConnection: {
          count: 136,
          next: 'c',
          edges: rowsOf(50, (at) => ({
            resource: {
              id: `2.25.${at}`,
              started: `${2024 + (at % 2)}-0${1 + (at % 9)}-1${at % 10}T08:00:00Z`,
              description: of(['CT chest', 'CT head'], at),
              numberOfInstances: 100 + at,
              subject: { reference: `Patient/p${at % 20}` },
            },
          })),
        },
      },
      chart: 'Rows by month of resource.started',
    },
  ],
  'condition-without-images': [
    {
      data: {
        PatientList: rowsOf(40, (at) => ({
          id: `p${at}`,
          name: names(at),
          birthDate: `19${30 + at}-05-06`,
          mri: at % 5 === 0 ? [{ id: `2.25.${at}`, started: day(at) }] : [],
        })),
      },
      chart: 'Rows by decade of birthDate',
    },
  ],
  'modality-by-year': [
    {
      data: {
        all: { count: 30, modalities: facets(['CT', 'MR', 'US']), years: facets(['2025', '2026']) },
        CT: { years: facets(['2026']) },
      },
      chart: 'count by value',
    },
  ],
  'diagnosis-and-ct': [
    {
      data: {
        PatientList: rowsOf(30, (at) => ({
          id: `p${at}`,
          name: names(at),
          birthDate: `19${40 + at}-05-06`,
          ct: { count: at % 3 },
        })),
      },
      chart: 'Rows by ct.count',
    },
  ],
};

test('each example of GraphQL has its chart', () => {
  expect(Object.keys(GRAPHQL)).toEqual(EXAMPLES.map(({ id }) => id));
  for (const [id, answers] of Object.entries(GRAPHQL))
    for (const { data, list, chart } of answers) {
      const lists = listsOf(data);
      const chosen = list ? lists.find((one) => nameOf(one) === list)! : firstOf(lists)!;
      expect([id, firstChart(withNames(tableOf(data, chosen)))]).toEqual([id, chart]);
    }
});
