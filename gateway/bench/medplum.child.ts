/** Runs Medplum's FHIR router on a port, over the NDJSON file in the second argument. */
import { readFileSync } from 'node:fs';
import type { Resource } from 'fhir/r4.js';
import { startMedplum } from '../../subgraphs/clinical/test/medplum.ts';

const [port, file] = process.argv.slice(2);
const lines = readFileSync(file!, 'utf8').trim().split('\n');
await startMedplum(
  lines.map((line) => JSON.parse(line) as Resource),
  Number(port),
);
