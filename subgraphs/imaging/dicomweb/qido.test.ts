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
