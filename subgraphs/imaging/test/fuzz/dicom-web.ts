import type { IncomingMessage, ServerResponse } from 'node:http';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import { writeMultipart } from '../../multipart/multipart.ts';
import { buffer } from 'node:stream/consumers';
import type { TestSubgraph } from '../subgraph.ts';
import { startUpstream, type Upstream } from '../upstream.ts';
import { holdAnswer, request, served, STUDY } from './asked.ts';
import { absurdDataset } from './datasets.ts';
import { damaged } from './random.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import type { Target } from './target.ts';

let upstream: Upstream;
let subgraph: TestSubgraph;
/** Random numbers of the running case. */
let random: Random;
let objects: Buffer;
let frames: Buffer;

/** A DICOMweb server with invalid answers: rows, metadata, objects and frames. */
export const dicomWeb: Target = {
  name: 'dicom-web',
  async open() {
    const file = smallObjects({ studyUid: STUDY, patientId: 'MRN' })[0]!;
    objects = await body('application/dicom', file);
    frames = await body('application/octet-stream', Buffer.alloc(16, 7));
    upstream = await startUpstream(answer);
    subgraph = await served({ type: 'dicom-web', endpoint: upstream.url, lookup: 'studies-by-mrn' });
  },
  async run(given) {
    random = given;
    subgraph.subgraph.invalidate();
    const { path, headers } = request(random);
    const asked = { method: 'GET', url: `/test/dicomweb${path}`, headers } as const;
    try {
      holdAnswer(await subgraph.app.inject(asked), path);
    } catch (error) {
      // An answer that was cut after its start gives this error of `inject`.
      if (!/destroyed before completion|aborted|premature/i.test((error as Error).message)) throw error;
    }
  },
  async close() {
    await subgraph.close();
    await upstream.close();
  },
};

function body(type: string, bytes: Buffer): Promise<Buffer> {
  async function* parts() {
    yield { headers: { 'Content-Type': type }, size: bytes.length, body: bytes };
  }
  return buffer(writeMultipart(parts(), 'b'));
}

function answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
  const json = /\/(studies|series|instances|metadata)(\?|$)/.test(url);
  const status = random.chance(0.95) ? 200 : random.of([204, 206, 301, 400, 404, 416, 500, 503]);
  if (json) {
    response.writeHead(status, { 'content-type': 'application/dicom+json' });
    return void response.end(rows());
  }
  const frame = /\/frames\/|\/bulkdata\//.test(url);
  const type = frame ? 'application/octet-stream' : 'application/dicom';
  const whole = frame ? frames : objects;
  const related = `multipart/related; type="${type}"; boundary=b`;
  response.writeHead(status, {
    'content-type': random.chance(0.9) ? related : random.of([type, '', 'text/html']),
  });
  response.end(random.chance(0.3) ? whole : damaged(whole, random, 500));
}

/** Returns rows mostly of the study, so that further requests follow. */
function rows(): string {
  const uids = {
    '00100020': { vr: 'LO', Value: ['MRN'] },
    '0020000D': { vr: 'UI', Value: [STUDY] },
    '0020000E': { vr: 'UI', Value: [`${STUDY}.1`] },
    '00080018': { vr: 'UI', Value: [`${STUDY}.1.1`] },
  };
  const image = { '00280010': us(4), '00280011': us(4), '00280100': us(8) };
  const list = Array.from({ length: 1 + random.below(3) }, () => ({
    ...absurdDataset(random),
    ...(random.chance(0.7) && image),
    ...(random.chance(0.9) && uids),
  }));
  const json = JSON.stringify(list);
  if (random.chance(0.7)) return json;
  // Swapped values stay valid JSON more often than damaged bytes.
  const swapped = ['null', '{}', '[]', '1e999', '"x"', 'true', '{"toString":1}', '[[]]'];
  return random.chance(0.5)
    ? damaged(Buffer.from(json), random).toString()
    : json.replace(/"[^"]*"(?=[,\]}])|\d+(?=[,\]}])/g, (text) =>
        random.chance(0.1) ? random.of(swapped) : text,
      );
}

function us(value: number) {
  return { vr: 'US', Value: [value] };
}
