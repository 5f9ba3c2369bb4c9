/** The chart that an answer begins with: what people mean by their columns. */
import { describe, expect, test } from 'vitest';
import { day, firstChart, of, rowsOf, tableOfRows } from '../../../test/setup/first-chart.ts';

describe('a chart begins with', () => {
  const resource = (at: number) => ({
    id: `r${at}`,
    patient_id: `p${at % 7}`,
    effective: `${day(at)}T10:0${at % 9}:00Z`,
  });
  const value = (at: number) => ({ value: 5 + (at % 9) / 10 });

  test.each<[string, (at: number) => object, string]>([
    [
      'a line of one patient',
      (at) => ({ patient_id: 'p', effective: day(at), ...value(at) }),
      'value over effective: line',
    ],
    [
      'points of several patients',
      (at) => ({ ...resource(at), ...value(at) }),
      'value over effective: points',
    ],
    [
      'points of several patients, without a column that names a row',
      (at) => ({ patient_id: `p${at % 7}`, date: day(at), ...value(at) }),
      'value over date: points',
    ],
    [
      'points, where the query leaves out whose values they are',
      (at) => ({ sex: of(['f', 'm'], at), date: day(at), ...value(at) }),
      'value over date: points',
    ],
    [
      'counts of codes, where each has its unit',
      (at) => ({
        ...resource(at),
        display: of(['Potassium', 'Weight'], at),
        ...value(at),
        unit: of(['mmol/L', 'kg'], at),
      }),
      'Rows by display',
    ],
    [
      'a year as an axis, beside a date',
      (at) => ({ started: day(at), year: 2018 + (at % 8) }),
      'Rows by year',
    ],
    [
      'a year that DuckDB names',
      (at) => ({ '"year"(started)': 2018 + at, n: 5 + at }),
      'n by "year"(started)',
    ],
    ['a year that is a text', (at) => ({ year: String(2018 + at), n: 5 + at }), 'n by year'],
    [
      'a period of date_part',
      (at) => ({ "date_part('month', started)": 1 + at, mean: 5 + at }),
      "mean by date_part('month', started)",
    ],
    [
      'what was counted in each month',
      (at) => ({ month: `2024-0${1 + (at % 9)}-01`, modality: of(['CT', 'MR'], at), studies: at }),
      'Sum of studies by month of month',
    ],
    [
      'counts by month',
      (at) => ({ id: `r${at}`, started: `2024-0${1 + (at % 9)}-1${at % 10}` }),
      'Rows by month of started',
    ],
    [
      'the age at the middle of a category',
      (at) => ({ id: `r${at}`, gender: of(['f', 'm'], at), age: 30 + at }),
      'Average of age by gender',
    ],
    ['counts of each age', (at) => ({ age: 30 + at, n: 100 - at }), 'n by age'],
    [
      'the patients with one study, and with two',
      (at) => ({ patient_id: `p${at}`, studies: 1 + (at % 3) }),
      'Rows by studies',
    ],
    ['nothing, where an id is all that there is', (at) => ({ id: `r${at}`, study_id: `s${at % 3}` }), ''],
    ['nothing, where each row is different', (at) => ({ code: `c${at}`, id: `r${at}` }), ''],
  ])('%s', (_what, row, chart) => expect(firstChart(tableOfRows(rowsOf(27, row)))).toBe(chart));

  test('points, where 3,000 values have no column that says whose they are', () => {
    const rows = rowsOf(3000, (at) => ({
      effective: `2024-01-01T00:00:00.${String(at).padStart(4, '0')}Z`,
      value: at % 7,
    }));
    expect(firstChart(tableOfRows(rows))).toBe('value over effective: points');
  });

  test.each([
    ['one number', { studies: 9 }],
    ['one row', { modality: 'CT', year: 2024, studies: 9 }],
  ])('nothing for %s', (_what, row) => expect(firstChart(tableOfRows([row]))).toBe(''));
});
