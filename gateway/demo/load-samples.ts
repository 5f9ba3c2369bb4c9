import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildDemoImages } from './images.ts';
import { onceASecond } from './progress.ts';
import { loadImages, loadRecords, SampleError, waitFor } from './samples.ts';

/**
 * The program that puts the demonstration into servers: the records of its patients into a FHIR server, and their images,
 * whose PatientID and issuer are the patients' record numbers, into an archive with STOW-RS. A repetition changes nothing.
 *
 *     node dist/gateway/demo/load-samples.js --fhir http://hapi:8080/fhir --dicom-web http://orthanc:8042/dicom-web
 *
 * The archive's user is in ORTHANC_USERNAME and ORTHANC_PASSWORD; the images are made in DATA_DIR. It waits for the servers
 * (`--wait`, 300 seconds). The exit code is 0 when everything is in place, otherwise 1.
 */
async function main(args: string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const { fhir, 'dicom-web': dicomWeb, wait } = readArguments(args);
  const { ORTHANC_USERNAME: username, ORTHANC_PASSWORD: password, DATA_DIR: dataDir = '.data' } = environment;
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  const record = { url: fhir };
  const archive = { url: dicomWeb, authorization: username ? `Basic ${credentials}` : undefined };

  const images = join(dataDir, 'demo', 'images');
  await buildDemoImages({ target: images, onProgress: progress('images made') });
  console.log(`waiting for ${fhir} and ${dicomWeb}`);
  const seconds = Number(wait);
  await Promise.all([waitFor(record, '/metadata', seconds), waitFor(archive, '/studies?limit=1', seconds)]);
  const resources = await loadRecords(record, progress('bundles of records'));
  const stored = await loadImages(archive, images, progress('images stored'));
  console.log(`in place: ${resources} resources, ${stored} images`);
}

function readArguments(args: string[]) {
  try {
    const options = { fhir: text, 'dicom-web': text, wait: { ...text, default: '300' } };
    const { values } = parseArgs({ args, options });
    const { fhir, 'dicom-web': dicomWeb, wait } = values;
    if (fhir && dicomWeb && Number(wait) > 0) return { fhir, 'dicom-web': dicomWeb, wait };
  } catch {
    // An unknown option.
  }
  throw new SampleError('Usage: load-samples --fhir URL --dicom-web URL [--wait SECONDS]');
}
const text = { type: 'string' } as const;

const progress = (label: string) => onceASecond((done, total) => console.log(`  ${label}: ${done}/${total}`));

try {
  await main(process.argv.slice(2), process.env);
} catch (error) {
  console.error(error instanceof SampleError ? error.message : error);
  process.exit(1);
}
