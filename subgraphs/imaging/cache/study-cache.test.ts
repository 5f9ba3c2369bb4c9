import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { StudyCache } from './study-cache.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** A source whose rows change when its generation does. */
function sourceOf(generation: string | undefined) {
  const source = {
    generation,
    asked: 0,
    question: {
      ttl: 4,
      ask: async (): Promise<DicomJson[]> => {
        source.asked++;
        return [{ [Tag.StudyDescription]: { vr: 'LO', Value: [source.generation] } }];
      },
      generation: async () => source.generation,
    },
  };
  return source;
}

test.each<
  [what: string, before: string | undefined, after: string | undefined, seconds: number, asked: number]
>([
  ['gives an answer again within its time', 'a', 'b', 3, 1],
  ['gives an answer again after its time while the source has not changed', 'a', 'a', 1000, 1],
  ['asks a source again that has changed', 'a', 'b', 5, 2],
  ['asks a source again that has no generation', undefined, undefined, 5, 2],
  ['asks a source again that is away', 'a', undefined, 5, 2],
])('IA-29 %s', async (_what, before, after, seconds, asked) => {
  const cache = new StudyCache();
  const source = sourceOf(before);
  const first = await cache.rows('t\ns\nq', source.question);
  source.generation = after;
  vi.advanceTimersByTime(seconds * 1000);
  const second = await cache.rows('t\ns\nq', source.question);
  expect(source.asked).toBe(asked);
  // The same list, because values derived from it are found by its identity.
  expect(second === first).toBe(asked === 1);
});

test('IA-29 has a renewed answer at hand for its time again, until it is invalidated', async () => {
  const cache = new StudyCache();
  const { question } = sourceOf('a');
  const rows = await cache.rows('t\ns\nq', question);
  vi.advanceTimersByTime(5000);
  expect(cache.kept('t\ns\nq')).toBeUndefined();
  await cache.rows('t\ns\nq', question);
  expect(cache.kept('t\ns\nq')).toBe(rows);
  cache.invalidate('t');
  expect(cache.kept('t\ns\nq')).toBeUndefined();
});
