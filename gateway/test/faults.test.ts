import { expect, test } from 'vitest';
import { startSurroundings } from './faults/parts.ts';
import { runFaults } from './faults/run.ts';
import { LONG } from './setup/long.ts';

/** DW-23, DW-26, DW-27: a short form of `npm run faults`. */

/** Of the faults, those of the usual run: each part fails, in one of its ways or two. */
const USUAL = new Set([
  'EHR: connections hang',
  'Orthanc by DICOMweb: killed',
  'Orthanc by DICOMweb: connections reset',
  'Orthanc by DIMSE: hangs',
  'Orthanc by DIMSE: connections refuse',
  'Orthanc by DIMSE: one study is gone',
  'folder: gone',
  'folder: emptied',
  'DATA_DIR: gone',
  'Redis: killed',
  'Redis: full',
]);

const DURATIONS = LONG ? { rate: 40, lasting: 5000, right: 1500 } : { rate: 20, lasting: 700, right: 500 };
/** Gateways at the same time, each with all parts of its own and a share of the faults: most of a fault is waiting. */
const SHARES = 2;

test.concurrent.each(Array.from({ length: SHARES }, (_, share) => share + 1))(
  `each part fails in ${LONG ? 'each' : 'some'} of its ways: no answer is wrong, and all are right again within 5 s (share %i)`,
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
