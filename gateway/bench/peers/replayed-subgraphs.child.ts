/** Two subgraphs that repeat recorded answers. Started with the recordings, and a port for the clinical and the imaging one. */
import { readFileSync } from 'node:fs';
import { serveAnswers } from './answer-server.ts';
import type { Recordings } from './recorded-subgraphs.ts';

const [file, clinicalPort, imagingPort] = process.argv.slice(2);
const recordings = JSON.parse(readFileSync(file!, 'utf8')) as Recordings;
const UNKNOWN = Buffer.from('{"errors":[{"message":"No answer to this request was recorded."}]}');

const serve = (answers: Readonly<Record<string, string>>, port: number) => {
  const kept = new Map(Object.entries(answers).map(([body, answer]) => [body, Buffer.from(answer)]));
  return serveAnswers(port, (body) => kept.get(body) ?? UNKNOWN);
};

await serve(recordings.clinical, Number(clinicalPort));
await serve(recordings.imaging, Number(imagingPort));
