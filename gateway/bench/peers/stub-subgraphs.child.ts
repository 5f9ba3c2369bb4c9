/**
 * Two subgraphs for peers that answer from memory: what a gateway itself costs is all that is left. Started with the file
 * of the patients, and a port for the clinical and the imaging one.
 */
import { readFileSync } from 'node:fs';
import { serveAnswers } from './answer-server.ts';
import type { PatientAnswers } from './stub-data.ts';

const [file, clinicalPort, imagingPort] = process.argv.slice(2);
const patients = JSON.parse(readFileSync(file!, 'utf8')) as PatientAnswers;

const clinical = new Map<string, Buffer>();
const imaging = new Map<string, Buffer>();
for (const [id, { ImagingStudyList, ...record }] of Object.entries(patients)) {
  const patient = { __typename: 'Patient', ...record };
  clinical.set(id, Buffer.from(JSON.stringify({ data: { Patient: patient } })));
  const entity = { __typename: 'Patient', ImagingStudyList };
  imaging.set(id, Buffer.from(JSON.stringify({ data: { _entities: [entity] } })));
}
const NOBODY = Buffer.from('{"errors":[{"message":"The request names no patient."}]}');

/** Answers with the patient that a request names, wherever that is. */
const serve = (answers: ReadonlyMap<string, Buffer>, port: number) =>
  serveAnswers(port, (body) => answers.get(/"(p\d+)\\?"/.exec(body)?.[1] ?? '') ?? NOBODY);

await serve(clinical, Number(clinicalPort));
await serve(imaging, Number(imagingPort));
