/**
 * Two subgraphs for peers that answer from memory: what a gateway itself costs is all that is left. Started with the file
 * of the patients, and a port for the clinical and the imaging one.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
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

serve(clinical, Number(clinicalPort));
serve(imaging, Number(imagingPort));

/** Answers with the patient that a request names, wherever that is. */
function serve(answers: ReadonlyMap<string, Buffer>, port: number): void {
  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const body = answers.get(/"(p\d+)\\?"/.exec(text)?.[1] ?? '') ?? NOBODY;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, '127.0.0.1');
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
