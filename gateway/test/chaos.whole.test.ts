import { expect } from 'vitest';
import { faultsOf } from './chaos/faults.ts';
import { loadOf } from './chaos/questions.ts';
import { runChaos, type Figures } from './chaos/run.ts';
import { startSystem } from './chaos/system.ts';
import { longTest } from './setup/usual-run.ts';

/** A short form of `npm run chaos`. */

/** The faults that take no longer than a restart. */
const SHORT = /kill -9|Redis restarts/;

longTest(
  'no answer is wrong while processes of each role are killed and Redis restarts, and all are right 5 s later',
  async () => {
    const system = await startSystem({ size: 2 });
    // Tokens of our own server need Redis within half a second, which a machine that runs all tests does not always have.
    const load = loadOf(system, ['ehr']);
    try {
      await load.learn();
      const faults = faultsOf(system, { away: 0, restarted: 500 }).filter(({ name }) => SHORT.test(name));
      expect(faults).toHaveLength(4);
      const all: Figures[] = [];
      const findings = await runChaos(load, faults, {
        rate: 12,
        calm: 4000,
        report: (figures) => void all.push(figures),
      });
      expect(findings).toEqual([]);
      expect(all.map(({ fault }) => fault)).toEqual(['no fault', ...faults.map(({ name }) => name)]);
      expect(Math.min(...all.map(({ asked }) => asked))).toBeGreaterThan(30);
    } finally {
      await load.close();
      await system.stop();
    }
  },
  300_000,
);
