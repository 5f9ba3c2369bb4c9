import type { PartsAnswer } from '../client.ts';
import { TAG, valueOf } from '../dicom-json.ts';
import { describe, expectAnswer, expectStatus } from '../expectations.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import type { Subject } from '../subject.ts';

const AS_FRAME = 'multipart/related; type="application/octet-stream"';
/** Accept headers that are tried in turn: without compression, then as stored, PS3.18 §8.7.3.3. */
const FRAME_FORMS = [
  AS_FRAME,
  `${AS_FRAME}; transfer-syntax=*`,
  ['image/jpeg', 'image/jls', 'image/jp2', 'image/jphc', 'image/dicom-rle']
    .map((type) => `multipart/related; type="${type}"; transfer-syntax=*`)
    .join(', '),
];
const PART_TYPE =
  /^(application\/octet-stream|image\/(jpeg|jls|jp2|jpx|j2c|jphc|jph|jxl|dicom-rle)|video\/\w+)$/;
/** The first bytes of each format. */
const MAGIC = { 'image/jpeg': 'ffd8ff', 'image/png': '89504e47' } as const;

/** Frames and pictures, PS3.18 §10.4.1.1.3 and §10.4.1.1.4. */
export const FRAMES_AND_RENDERED: readonly Check[] = [
  {
    id: 'DW-7',
    name: 'frame',
    level: 'MUST',
    sentence: 'A frame is one part of a multipart answer, with a media type for its transfer syntax.',
    expected: '200 multipart/related with one part, application/octet-stream or an image type',
    async run(subject) {
      const answer = await firstFrame(subject);
      expectAnswer(answer, 'multipart/related');
      const [part, ...more] = answer.parts;
      if (!part || more.length > 0 || part.size === 0)
        throw new Deviation(`${answer.parts.length} parts, the first of ${part?.size ?? 0} bytes`);
      if (!PART_TYPE.test(part.type.essence))
        throw new Deviation(`the part is ${part.type.essence || 'of no type'}`);
      return `${part.type.essence}, ${part.size} bytes`;
    },
  },
  {
    id: 'DW-7',
    name: 'frame-out-of-range',
    level: 'MUST',
    sentence: 'A frame that the object does not have is an error.',
    expected: 'an error',
    async run(subject) {
      const answer = await frameBeyond(subject);
      if (answer.status < 400) throw new Deviation(describe(answer));
      return describe(answer);
    },
  },
  {
    id: 'DW-7',
    name: 'frame-not-found',
    level: 'SHOULD',
    sentence: 'A frame that the object does not have is 404.',
    expected: '404',
    async run(subject) {
      expectStatus(await frameBeyond(subject), 404);
      return '404';
    },
  },
  ...(['image/jpeg', 'image/png'] as const).map((type): Check => ({
    id: 'DW-8',
    name: `rendered-${type.slice('image/'.length)}`,
    level: 'SHOULD',
    sentence: `An instance can be had as a picture, ${type}.`,
    expected: `200 ${type}`,
    async run(subject) {
      const answer = await subject.get(`${(await subject.image()).url}/rendered`, { accept: type });
      expectAnswer(answer, type);
      if (!answer.body.toString('hex', 0, 4).startsWith(MAGIC[type]))
        throw new Deviation(`the body is not ${type}`);
      return `${answer.body.length} bytes`;
    },
  })),
  {
    id: 'DW-9',
    name: 'thumbnail',
    level: 'MAY',
    sentence: 'A study has a small picture of it.',
    expected: '200 with an image',
    async run(subject) {
      const answer = await subject.get(`${(await subject.study()).url}/thumbnail`, { accept: 'image/*' });
      if ([400, 404, 406, 501].includes(answer.status))
        throw new NotApplicable(`not offered: ${describe(answer)}`);
      if (answer.status !== 200 || !answer.type.essence.startsWith('image/'))
        throw new Deviation(describe(answer));
      return `${answer.type.essence}, ${answer.body.length} bytes`;
    },
  },
];

/** Asks for the first frame until one form is acceptable. */
async function firstFrame(subject: Subject): Promise<PartsAnswer> {
  const url = `${(await subject.image()).url}/frames/1`;
  let answer: PartsAnswer | undefined;
  for (const accept of FRAME_FORMS) {
    answer = await subject.getParts(url, accept);
    if (answer.status === 200) break;
  }
  return answer!;
}

/** Asks for the frame after the last one. */
async function frameBeyond(subject: Subject): Promise<PartsAnswer> {
  const { url, metadata } = await subject.image();
  const count = Number(valueOf(metadata, TAG.numberOfFrames) ?? 1);
  return subject.getParts(`${url}/frames/${count + 1}`, AS_FRAME);
}
