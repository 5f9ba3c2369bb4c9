import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { capacityPage, figureIn, limitsOf, loadFrom } from './capacity.ts';
import { queued } from './queued.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const results = read('../../gateway/bench/RESULTS.md');

test('the tables of the page are those of the figures in RESULTS.md (npm run docs)', () => {
  const page = read('../capacity.md');
  expect(capacityPage(page, results)).toBe(page);
});

test('reads a figure by its part and row, and names one that is missing', () => {
  const text = '\n## a\n\n| x | 1.50 ms |  |  |\n\n## b\n\n| x | 2,646 requests/s |  |  |\n';
  expect(['a', 'b'].map((part) => figureIn(text, part, 'x'))).toEqual([1.5, 2646]);
  expect(() => figureIn(text, 'a', 'y')).toThrow('RESULTS.md has no "y" of a');
});

test('twice the hospitals are twice the load, and a limit is where the load fills it', () => {
  const [one, two] = [loadFrom(1, results), loadFrom(2, results)];
  expect(two.requests).toBeCloseTo(2 * one.requests);
  const [, link] = limitsOf(results).find(([what]) => what.includes('link'))!;
  expect(loadFrom(link, results).bits).toBeCloseTo(0.7 * 10e9, -3);
});

describe('simulated processes', () => {
  const frames = (studies: number, count: number) => ({
    single: {},
    studies,
    frames: { kind: 'frame', count, perSecond: 40 },
  });
  const service = (wait: number) => ({ milliseconds: () => 5, used: 0.7, wait });

  test('are as many as the work fills, where nothing waits', () => {
    // 2,000 requests of 5 ms are 10 cores, at 70 % 14.3.
    const needed = queued(frames(20, 100), service(1000));
    expect(needed).toBeGreaterThanOrEqual(13);
    expect(needed).toBeLessThanOrEqual(17);
  });

  test('are more where little waiting is allowed, and never less than two', () => {
    expect(queued(frames(20, 100), service(2))).toBeGreaterThan(queued(frames(20, 100), service(1000)));
    expect(queued(frames(0.01, 10), service(1000))).toBe(2);
  });
});
