import { expect, test } from 'vitest';
import type { Parts } from './search.ts';
import { wantsInstances } from './study-subset.ts';

test.each<[what: string, parts: Parts, instances: number, wanted: boolean]>([
  ['as many as a page shows unasked', {}, 2000, true],
  ['one more', {}, 2001, false],
  ['one more, all data asked for', { summary: 'false' }, 2001, true],
  ['one more, instances asked for by name', { elements: ['series.instance'] }, 2001, true],
  ['one more, a part of instances asked for by name', { elements: ['series.instance.uid'] }, 2001, true],
  ['one more, series asked for', { elements: ['series'] }, 2001, false],
  ['few, series asked for', { elements: ['series'] }, 2, true],
  ['few, a summary asked for', { summary: 'true' }, 2, false],
  ['few, other elements asked for', { elements: ['started'] }, 2, false],
])('IA-16 a page that would hold %s', (_what, parts, instances, wanted) => {
  expect(wantsInstances(parts, instances)).toBe(wanted);
});
