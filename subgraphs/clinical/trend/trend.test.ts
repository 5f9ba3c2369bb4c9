/** Trends: units, precision, flags, duplicates, components, and what is only text. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { decimalText, parseFhirJson, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { isUcum, UCUM } from '../../../schema/fhir/ucum.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';
import { trendEvents } from './events.ts';
import type { Point, Series } from './series.ts';
import { trendSeries, type TrendRequest } from './trend.ts';
import { converted } from './units.ts';

const loinc = (code: string) => ({ coding: [{ system: 'http://loinc.org', code }] });

/** Writes an Observation as JSON text: a decimal keeps its zeros. */
function observation(id: string, code: string, date: string, value: string, more: object = {}): string {
  const rest = {
    resourceType: 'Observation',
    id,
    status: 'final',
    code: loinc(code),
    subject: { reference: 'Patient/p' },
    effectiveDateTime: date,
    ...more,
  };
  return JSON.stringify(rest).replace(/}$/, value === '' ? '}' : `,${value}}`);
}
const quantity = (value: string, unit: string) =>
  `"valueQuantity":{"value":${value},"unit":"${unit}","system":"${UCUM}","code":"${unit}"}`;
const range = (low: number | undefined, high: number | undefined, code: string) => ({
  referenceRange: [
    {
      ...(low !== undefined && { low: { value: low, system: UCUM, code } }),
      ...(high !== undefined && { high: { value: high, system: UCUM, code } }),
    },
  ],
});

const records = [
  ...['p', 'q'].map((id) => JSON.stringify({ resourceType: 'Patient', id })),
  // Weight in two units, the newest in kg
  observation('w1', '29463-7', '2020-01-01', quantity('150', '[lb_av]')),
  observation('w2', '29463-7', '2020-02-01', quantity('69.50', 'kg')),
  observation('w3', '29463-7', '2020-01-15', quantity('152.3', '[lb_av]'), { status: 'entered-in-error' }),
  // Glucose: mass, amount (which do not convert without a molar mass), without unit, a limit, words
  observation('g1', '2339-0', '2021-01-01T08:00:00Z', quantity('100', 'mg/dL'), range(70, 99, 'mg/dL')),
  observation('g2', '2339-0', '2021-01-02T08:00:00Z', quantity('5.40', 'mmol/L'), {
    interpretation: [{ coding: [{ code: 'LL' }] }],
    ...range(3.9, 5.5, 'mmol/L'),
  }),
  observation('g3', '2339-0', '2021-01-03T08:00:00Z', '"valueQuantity":{"value":97.10}'),
  observation(
    'g4',
    '2339-0',
    '2021-01-04T08:00:00Z',
    '"valueQuantity":{"value":20,"comparator":"<","unit":"mg/dL"}',
  ),
  observation('g5', '2339-0', '2021-01-05T08:00:00Z', '"valueString":"haemolysed"'),
  observation('g6', '2339-0', '2021-01-06T08:00:00Z', '"valueQuantity":{"value":1,"unit":"mg/dL"}'),
  observation('g7', '2339-0', '2021-01-07T08:00:00Z', quantity('0.98', 'g/L'), range(0.7, 0.99, 'g/L')),
  observation('g8', '2339-0', '2021-01-08T08:00:00Z', '', { dataAbsentReason: { text: 'not done' } }),
  // One specimen, reported three times; another one at the same time
  ...(
    [
      ['k1', '4.0', 'final', 'a'],
      ['k2', '4.1', 'corrected', 'a'],
      ['k3', '4.0', 'final', 'a'],
      ['k4', '4.4', 'final', 'b'],
    ] as const
  ).map(([id, value, status, specimen]) =>
    observation(id, '2823-3', '2022-01-01T08:00:00Z', quantity(value, 'mmol/L'), {
      status,
      specimen: { reference: `Specimen/${specimen}` },
    }),
  ),
  // A panel, and a systolic pressure alone
  observation('bp1', '85354-9', '2021-05-01', '', {
    component: [
      { code: loinc('8480-6'), valueQuantity: { value: 120, unit: 'mmHg', system: UCUM, code: 'mm[Hg]' } },
      { code: loinc('8462-4'), valueQuantity: { value: 80, unit: 'mmHg', system: UCUM, code: 'mm[Hg]' } },
    ],
  }),
  observation('bp2', '8480-6', '2021-06-01', quantity('18.0', 'kPa')),
  observation('score', '72514-3', '2021-06-01', quantity('3', '{score}')),
  observation('percent', '72514-3', '2021-06-02', quantity('30', '%')),
  JSON.stringify({
    resourceType: 'Procedure',
    id: 'op',
    status: 'completed',
    code: { text: 'Operation' },
    subject: { reference: 'Patient/p' },
    performedPeriod: { start: '2021-02-01', end: '2021-02-02' },
  }),
];

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let store: Tenant;
let fails: Fault | undefined;

beforeAll(async () => {
  clinical = await startClinical({
    studiesOf: async () => {
      if (fails) throw fails;
      return { studies: [{ id: '1.2', started: '2020-06-01', modalities: ['CT'] }], failed: [] };
    },
  });
  store = await clinical.tenantOver(records.join('\n'));
  server = await startFhirServer(clinical.subgraph, store);
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});

const open = (scope = 'patient/*.rs', tenant = store) =>
  clinical.subgraph.open(tenant, accessOf(scope, ['p']));
const trend = (request: Partial<TrendRequest>, record = open()) =>
  trendSeries(record, { patientId: 'p', ...request });

/** Writes points as they are in the answer. */
const shown = ({ unit, points }: Series): [string | undefined, string[]] => [unit, points.map(written)];
const written = ({ id, value, flag }: Point): string =>
  [id, value === undefined ? 'text' : decimalText(value), flag]
    .filter((part) => part !== undefined)
    .join(' ');

describe('FG-19 a trend', () => {
  it('is in the unit of the newest point, converted with the digits of the original', async () => {
    const [series, ...others] = await trend({ code: ['29463-7'] });
    expect(others).toEqual([]);
    expect(shown(series!)).toEqual(['kg', ['w1 68.0', 'w2 69.50']]);
    expect(series!.points.map(({ converted, text }) => [converted, text])).toEqual([
      [true, '150 [lb_av]'],
      [false, '69.50 kg'],
    ]);
    expect(writeFhirJson(series!.points[1]!.value)).toBe('69.50');
  });

  it('is in the unit that is asked for', async () => {
    const [series] = await trend({ code: ['http://loinc.org|29463-7'], unit: '[lb_av]' });
    expect(shown(series!)).toEqual(['[lb_av]', ['w1 150', 'w2 153.2']]);
  });

  it('keeps units that do not convert, values without unit, and words apart', async () => {
    const series = await trend({ code: ['2339-0'], unit: 'mg/dL' });
    expect(series.map(shown)).toEqual([
      ['mg/dL', ['g1 100 H', 'g7 98 N']],
      // Not stated as UCUM: it is not mixed with what is.
      ['mg/dL', ['g4 text', 'g6 1']],
      [undefined, ['g3 text', 'g5 text']],
      ['mmol/L', ['g2 5.40 LL']],
    ]);
    const points = series.flatMap(({ points }) => points);
    expect(Object.fromEntries(points.map(({ id, text }) => [id, text]))).toMatchObject({
      g3: '97.10',
      g4: '< 20 mg/dL',
      g5: 'haemolysed',
    });
  });

  it('converts reference ranges, and flags by them where the record does not', async () => {
    const [series] = await trend({ code: ['2339-0'], unit: 'mg/dL' });
    const ranges = series!.points.map(({ low, high, range }) => [low, high].map(decimalText).concat(range));
    expect(ranges).toEqual([
      ['70', '99', '70 – 99 mg/dL'],
      ['70', '99', '0.7 – 0.99 g/L'],
    ]);
  });

  it('shows one specimen once, as it was corrected', async () => {
    const [series] = await trend({ code: ['2823-3'] });
    expect(shown(series!)).toEqual(['mmol/L', ['k2 4.1', 'k4 4.4']]);
  });

  it.each(['store', 'server'])(
    'finds components and single observations of a group, from the %s',
    async (source) => {
      const remote = tenantOf({ type: 'fhir', baseUrl: server.base });
      const series = await trend(
        { group: 'bloodPressure' },
        open('patient/*.rs', source === 'store' ? store : remote),
      );
      expect(series.map(({ code, ...rest }) => [code.code, ...shown({ code, ...rest })])).toEqual([
        ['8480-6', 'kPa', ['bp1 16.0', 'bp2 18.0']],
        ['8462-4', 'mm[Hg]', ['bp1 80']],
      ]);
    },
  );

  it('never converts a score to a percentage', async () => {
    const series = await trend({ code: ['72514-3'], unit: '%' });
    expect(series.map(shown)).toEqual([
      ['%', ['percent 30']],
      ['{score}', ['score 3']],
    ]);
  });

  it('is bounded by dates, each a whole day', async () => {
    const series = await trend({ code: ['2339-0'], from: '2021-01-02', to: '2021-01-03' });
    expect(series.flatMap(({ points }) => points.map(({ id }) => id)).sort()).toEqual(['g2', 'g3']);
  });

  it.each<[what: string, request: Partial<TrendRequest>, code: string]>([
    ['no code', {}, 'invalid_request'],
    ['an empty code', { code: ['http://loinc.org|'] }, 'invalid_request'],
    ['too many codes', { code: Array.from({ length: 21 }, (_, index) => `${index}`) }, 'invalid_request'],
    ['a unit that is none', { code: ['1'], unit: 'foo' }, 'invalid_request'],
    ['a unit of a thousand characters', { code: ['1'], unit: 'm'.repeat(1000) }, 'invalid_request'],
    ['a date that is none', { code: ['1'], to: 'today' }, 'invalid_request'],
    ['another patient', { code: ['1'], patientId: 'q' }, 'forbidden'],
  ])('IA-7 refuses %s', async (_what, request, code) => {
    await expect(trend(request)).rejects.toMatchObject({ code });
  });

  it('SM-6 needs the scope, and a granular scope narrows it', async () => {
    await expect(trend({ code: ['2339-0'] }, open('patient/Condition.rs'))).rejects.toMatchObject({
      code: 'insufficient_scope',
    });
    const narrow = open('patient/Observation.rs?code=http://loinc.org|29463-7');
    expect(await trend({ code: ['2339-0'] }, narrow)).toEqual([]);
  });

  it('a comma in a code finds no other code', async () => {
    expect(await trend({ code: ['2339-0,29463-7'] })).toEqual([]);
  });

  it('has studies and procedures on its axis, oldest first; what is missing is named', async () => {
    const all = await trendEvents(open(), { patientId: 'p' });
    expect(all.events.map(({ kind, date, end, title }) => [kind, date, end, title])).toEqual([
      ['study', '2020-06-01', undefined, 'CT study'],
      ['procedure', '2021-02-01', '2021-02-02', 'Operation'],
    ]);
    fails = new Fault('unavailable', 'The archive does not answer.');
    const part = await trendEvents(open(), { patientId: 'p', from: '2021' });
    fails = undefined;
    expect(part.events.map(({ kind }) => kind)).toEqual(['procedure']);
    expect(part.missing.map(({ type }) => type)).toEqual(['ImagingStudy']);
  });
});

describe('FG-19 UCUM', () => {
  it.each([
    ['37.0', 'Cel', '[degF]', '98.6'],
    ['4.5', '10*3/uL', '10*9/L', '4.5'],
    ['0.0120', 'g/L', 'mg/L', '12.0'],
    ['1234.5', 'mg', 'kg', '0.0012345'],
    ['-1.50', 'mm', 'm', '-0.00150'],
    ['0', 'kg', 'g', '0'],
    ['5', 'mmol/L', 'mg/dL', undefined],
    ['5', '{score}', '1', undefined],
    ['5', '[IU]/L', 'U/L', undefined],
    ['5', 'kg', 'foo', undefined],
    ['5', 'constructor', 'kg', undefined],
  ])('%s %s is in %s %s', (value, from, to, expected) => {
    const { number } = parseFhirJson(`{"number":${value}}`) as { number: number | string };
    expect(decimalText(converted(number, from, to))).toBe(expected);
  });

  it('a unit of many nested parts is refused at once', () => {
    expect(isUcum('('.repeat(59))).toBe(false);
    expect(['constructor', '__proto__', '', ' '].filter(isUcum)).toEqual([]);
    expect(['{score}', '%', '1', 'mm[Hg]'].filter(isUcum)).toHaveLength(4);
    expect(isUcum(`${'m.'.repeat(100)}m`)).toBe(false);
  });
});
