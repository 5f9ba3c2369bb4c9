/**
 * `npm run faults`: each part around the gateway fails in each of its ways, under a steady load.
 *
 *     npm run faults -- --seconds 600 --rate 100
 *     npm run faults -- --only "Redis"
 *
 * Every answer has to be right, or 503 with Retry-After where a needed part is away, or without a study that was
 * deleted. Five seconds after a part is back all answers have to be right again. Any other answer is a finding: it is
 * printed, and the program ends with exit code 1.
 */
import { parseArgs } from 'node:util';
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
const findings = await runFaults(world, faults, {
  rate: Number(values.rate),
  lasting: share / 2,
  right: share / 4,
  report: ({ fault, right, away, cut, gone, wrong, recovery }) =>
    console.log(
      `${fault.padEnd(45)} ${right} right, ${away} away, ${cut} cut, ${gone} gone, ${wrong} wrong; right again after ${recovery.toFixed(1)} s`,
    ),
});
await world.stop();
for (const finding of new Set(findings)) console.log(`FOUND ${finding}`);
console.log(`${findings.length} findings`);
process.exit(findings.length > 0 ? 1 : 0);
