/** One index run: `folder-index.child.ts <folder> <index file>` prints a report as JSON. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openFolder } from '../../subgraphs/imaging/sources/folder.ts';

const [path, indexFile] = process.argv.slice(2) as [string, string];
const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const pauses = monitorEventLoopDelay({ resolution: 5 });

pauses.enable();
const start = performance.now();
const source = await openFolder({ path, indexFile, log, watch: false });
await source.indexed;
const seconds = (performance.now() - start) / 1000;
pauses.disable();

const query = { match: new Map(), includeField: [] };
const searching = performance.now();
const studies = await source.search({ level: 'study', patientIds: [{ value: 'PATIENT-000001' }], ...query });
const search = performance.now() - searching;
if (studies.length !== 1) throw new Error(`${studies.length} studies of one patient.`);
const instances = (await source.search({ level: 'study', ...query }))
  .map((row) => Number(row['00201208']!.Value![0]))
  .reduce((sum, count) => sum + count, 0);
await source.close();

const maxRssMegabytes = process.resourceUsage().maxRSS / 1024;
process.stdout.write(
  JSON.stringify({ seconds, maxRssMegabytes, instances, search, longestPause: pauses.max / 1e6 }),
);
