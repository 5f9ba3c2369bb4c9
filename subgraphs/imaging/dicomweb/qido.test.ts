import { expect, test } from 'vitest';
import { parseQido } from './qido.ts';

const read = (level: 'study' | 'series' | 'instance', query: string) =>
  parseQido({ level }, new URLSearchParams(query));

test.each([
  ['RequestAttributesSequence.ScheduledProcedureStepID=S1', '00400275.00400009', 'S1'],
  ['00400275.00400009=S1', '00400275.00400009', 'S1'],
  ['RequestAttributesSequence.00401001=R1', '00400275.00401001', 'R1'],
  ['0020000e=1.2', '0020000E', '1.2'],
])('DW-2 series?%s', (query, tag, value) => {
  const { query: parsed, ignored } = read('series', query);
  expect([...parsed.match]).toEqual([[tag, [value]]]);
  expect(ignored).toEqual([]);
});

test.each([
  ['study', 'RequestAttributesSequence.ScheduledProcedureStepID=S1'],
  ['instance', 'RequestAttributesSequence.ScheduledProcedureStepID=S1'],
  ['series', 'ScheduledProcedureStepID=S1'],
  ['series', 'RequestAttributesSequence=S1'],
  ['series', 'Nonsense.ScheduledProcedureStepID=S1'],
] as const)('DW-3 %ss?%s is not applied', (level, query) => {
  const { query: parsed, ignored } = read(level, query);
  expect(parsed.match.size).toBe(0);
  expect(ignored).toHaveLength(1);
});

test.each([
  ['includefield=RequestAttributesSequence.ScheduledProcedureStepID', ['00400275'], 0],
  ['includefield=00400275.00400009,PatientSex&includefield=00100040', ['00400275', '00100040'], 0],
  ['includefield=00400275.Nonsense', [], 1],
  ['includefield=all,PatientSex', 'all', 0],
])('DW-2 %s', (query, fields, ignored) => {
  const parsed = read('series', query);
  expect(parsed.query.includeField).toEqual(fields);
  expect(parsed.ignored).toHaveLength(ignored);
});

test.each([
  'StudyDate=20240230',
  'StudyDate=20241301',
  'StudyDate=20240101-20240231',
  'StudyDate=-00000000',
  'StudyDate=2024',
  'StudyDate=2024-01-01',
  'StudyDate=yesterday',
  'StudyDate=20240101-20240102-20240103',
  'StudyTime=24',
  'StudyTime=1060',
  'StudyTime=-101099',
  'StudyTime=noon',
  'PerformedProcedureStepStartDate=20240230',
  'StudyInstanceUID=1.2.a',
  'SeriesNumber=one',
  'Modality=a/b',
  'limit=-1',
  'limit=all',
  'offset=x',
  'fuzzymatching=1',
])('DW-3 %s cannot be read, and no archive is asked', (query) => {
  expect(() => read('series', query)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test.each([
  'StudyDate=20240229',
  'StudyDate=20240101-',
  'StudyDate=-20241231',
  'StudyTime=0930-235960',
  'StudyTime=07',
])('DW-2 %s can be read', (query) => {
  expect(read('study', query).query.match.size).toBe(1);
});
