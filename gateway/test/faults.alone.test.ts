import { expect, test } from 'vitest';
import { startSurroundings } from './faults/parts.ts';
import { runFaults } from './faults/run.ts';
import { LONG } from './setup/long.ts';

/** A short form of `npm run faults` (DW-23, DW-26, DW-27). */

/** Faults of `npm test`: each part fails in one or two ways. */
const USUAL = new Set([
  'EHR: connections hang',
  'Orthanc by DICOMweb: killed',
  'Orthanc by DICOMweb: 404 to everything',
  'Orthanc by DIMSE: hangs',
  'folder: gone',
  'Redis: killed',
]);

const DURATIONS = LONG ? { rate: 40, lasting: 5000, right: 1500 } : { rate: 20, lasting: 700, right: 500 };
/**
 * Gateways that run at the same time, each with its own parts and a share of the faults: most of the time is waiting.
 */
const SHARES = 2;

test.concurrent.each(Array.from({ length: SHARES }, (_, share) => share + 1))(
  `DW-23, DW-26, DW-27 when any part fails in ${LONG ? 'any' : 'some'} way no answer is wrong, and all are right again within 5 s (share %i)`,
  async (share) => {
    const world = await startSurroundings();
    try {
      const inRun = world.faults.filter(({ name }) => LONG || USUAL.has(name));
      if (!LONG) expect(inRun).toHaveLength(USUAL.size);
      const faults = inRun.filter((_, number) => number % SHARES === share - 1);
      const findings = await runFaults(world, faults, DURATIONS);
      expect(findings.slice(0, 20)).toEqual([]);
    } finally {
      await world.stop();
    }
  },
  600_000,
);
