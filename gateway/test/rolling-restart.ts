/**
 * `npm run restarts -- --rate 100`: six processes of one installation (two gateways, two of the record, two of the images) are
 * replaced one after the other under load, by GraphQL, FHIR and DICOMweb. It prints how many requests were sent and how many
 * failed; a failed one is printed, and the program ends with exit code 1.
 */
import { parseArgs } from 'node:util';
import { restartUnderLoad } from './setup/restarted-processes.ts';

const { values } = parseArgs({ options: { rate: { type: 'string', default: '100' } } });
const { requests, replaced, failures, seconds } = await restartUnderLoad(Number(values.rate));
for (const failure of failures.slice(0, 50)) console.log(`FAILED ${failure}`);
console.log(
  `${replaced} processes replaced in ${seconds.toFixed(0)} s: ${requests} requests, ${failures.length} failed`,
);
process.exit(failures.length > 0 ? 1 : 0);
