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
  ['within its time an answer is given again', 'a', 'b', 3, 1],
  ['after that as long as the source has not changed', 'a', 'a', 1000, 1],
  ['a source that has changed is asked again', 'a', 'b', 5, 2],
  ['so is one that cannot tell', undefined, undefined, 5, 2],
  ['and one that is away for now', 'a', undefined, 5, 2],
])('IA-29 %s', async (_what, before, after, seconds, asked) => {
  const cache = new StudyCache();
  const source = sourceOf(before);
  const first = await cache.rows('t\ns\nq', source.question);
  source.generation = after;
  vi.advanceTimersByTime(seconds * 1000);
  const second = await cache.rows('t\ns\nq', source.question);
  expect(source.asked).toBe(asked);
  // The same objects: what was made of them is found by them.
  expect(second === first).toBe(asked === 1);
});

test('IA-29 what is kept on is at hand for its time again, and gone once it is forgotten', async () => {
  const cache = new StudyCache();
  const { question } = sourceOf('a');
  const rows = await cache.rows('t\ns\nq', question);
  vi.advanceTimersByTime(5000);
  expect(cache.atHand('t\ns\nq')).toBeUndefined();
  await cache.rows('t\ns\nq', question);
  expect(cache.atHand('t\ns\nq')).toBe(rows);
  cache.invalidate('t');
  expect(cache.atHand('t\ns\nq')).toBeUndefined();
});
