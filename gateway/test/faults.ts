/**
 * `npm run faults`: each part around the gateway fails in each of its ways, under a steady load.
 *
 *     npm run faults -- --seconds 600 --rate 100
 *     npm run faults -- --only "Redis"
 *
 * The series of one study is split: the folder and Orthanc by DICOMweb have different instances of it, and the judge knows which.
 * Every answer has to be right, or 503 with Retry-After where a needed part is away, or without a study that was
 * deleted, or 502 from an archive that is not at its address; what exists is never 404. A part that hangs makes others at
 * most half as slow again (p99). Five seconds after a part is back all answers have to be right again. Any other answer is a finding: it is
 * printed, and the program ends with exit code 1.
 */
import { parseArgs } from 'node:util';
import { quantile } from '../bench/fixed-rate.ts';
import { startSurroundings } from './faults/parts.ts';
import { runFaults } from './faults/run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    rate: { type: 'string', default: '100' },
    only: { type: 'string', default: '' },
  },
});

const world = await startSurroundings();
const faults = world.faults.filter(({ name }) => name.includes(values.only));
const share = (Number(values.seconds) * 1000) / faults.length;
/** Times of tenants that do not need the part, of all hangs together: of one, a few answers would decide. */
const others = { before: [] as number[], during: [] as number[] };
const findings = await runFaults(world, faults, {
  rate: Number(values.rate),
  lasting: share / 2,
  right: share / 4,
  report({ fault, right, away, misplaced, cut, gone, wrong, recovery, others: { before, during } }) {
    const counts = `${right} right, ${away} away, ${misplaced} at a wrong address, ${cut} cut, ${gone} gone, ${wrong} wrong`;
    console.log(`${fault.padEnd(45)} ${counts}; right again after ${recovery.toFixed(1)} s`);
    if (!/hang/.test(fault)) return;
    others.before.push(...before);
    others.during.push(...during);
  },
});
await world.stop();
const [before, during] = [quantile(others.before, 0.99), quantile(others.during, 0.99)];
const compared = `p99 of others ${during} ms while a part hangs (${others.during.length} answers), ${before} ms before (${others.before.length})`;
// A part that all need, as Redis, has no others.
if (others.during.length > 0) console.log(compared);
if (during > 1.5 * before) findings.push(compared);
for (const finding of new Set(findings)) console.log(`FOUND ${finding}`);
console.log(`${findings.length} findings`);
process.exit(findings.length > 0 ? 1 : 0);
