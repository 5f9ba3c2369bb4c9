import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LONG } from './setup/long.ts';
import { describeWithSharedData } from './setup/shared-data.ts';
import { longTest } from './setup/usual-run.ts';
import { damaged } from '../../subgraphs/imaging/test/fuzz/random.ts';
import { Random } from './setup/random.ts';

/** Time for all targets together. */
const SECONDS = LONG ? 300 : 2;
/** A minute in CI. */
const DOCUMENT_SECONDS = process.env['CI'] ? 60 : 20;
const SEED = 1;
const TARGETS = 11;

const fuzz = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'fuzz.ts'), ...args], {
    encoding: 'utf8',
  });

describeWithSharedData('thousands of damaged inputs', () => {
  longTest(
    'every case ends in an answer or a clear refusal, within bounds of time and memory',
    () => {
      const { status, stdout, stderr } = fuzz('--seconds', String(SECONDS), '--seed', String(SEED));
      expect([status, stdout, stderr]).toEqual([0, expect.stringMatching(/; 0 findings/), expect.anything()]);
      // Every target has run, with more than a few cases.
      const cases = [...stdout.matchAll(/: (\d+) cases/g)].map(([, number]) => Number(number));
      expect(cases.length).toBe(TARGETS);
      expect(Math.min(...cases)).toBeGreaterThan(4);
    },
    SECONDS * 1000 + 120_000,
  );

  test(
    `documents and variables for ${DOCUMENT_SECONDS} s`,
    () => {
      const asked = ['--seed', String(SEED), '--target', 'graphql-documents'];
      const { status, stdout, stderr } = fuzz('--seconds', String(DOCUMENT_SECONDS), ...asked);
      expect([status, stdout, stderr]).toEqual([0, expect.stringMatching(/; 0 findings/), expect.anything()]);
      expect(Number(/: (\d+) cases/.exec(stdout)![1])).toBeGreaterThan(DOCUMENT_SECONDS / 2);
    },
    DOCUMENT_SECONDS * 1000 + 120_000,
  );

  longTest('one case can be run again by its number', { timeout: 60_000 }, () => {
    const { status, stdout } = fuzz('--seed', String(SEED), '--target', 'part10', '--case', '7');
    expect([status, stdout]).toEqual([0, expect.stringContaining('part10: 1 cases')]);
  });
});

test('the same seed gives the same damage, another seed gives other damage', () => {
  const original = Buffer.alloc(500, 7);
  const [one, same, other] = [1, 1, 2].map((seed) => damaged(original, new Random(seed)).toString('hex'));
  expect(same).toBe(one);
  expect(other).not.toBe(one);
});
