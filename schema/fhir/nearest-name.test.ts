import { expect, test } from 'vitest';
import { nearestName, quotedName } from './nearest-name.ts';
import { processorTime } from '../../gateway/test/setup/processor-time.ts';

test.each<[wanted: string, names: string[], nearest: string | undefined]>([
  ['sevrity', ['code', 'severity', 'status'], 'severity'],
  ['Code', ['date', 'code'], 'code'],
  ['stat', ['start', 'state'], 'start'],
  ['x', [], undefined],
  ['', ['ab', 'a'], 'a'],
])('the nearest to %s in %j is %s', (wanted, names, nearest) => {
  expect(nearestName(wanted, names)).toBe(nearest);
});

test('a very long name costs no more than a long one', async () => {
  const search = () => nearestName('x'.repeat(1_000_000), Array(1_000).fill('a-search-parameter'));
  expect(await processorTime(search)).toBeLessThan(10_000);
});

test.each([
  ['code:not', '"code:not"'],
  ['Ana Núñez', 'a name of this request'],
  ['x'.repeat(65), 'a name of this request'],
])('%s is quoted as %s', (name, quoted) => {
  expect(quotedName(name)).toBe(quoted);
});
