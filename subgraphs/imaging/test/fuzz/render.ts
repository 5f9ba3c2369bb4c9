import { Readable } from 'node:stream';
import { TransferSyntax, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { parseAccept } from '../../../../schema/http/media-ranges.ts';
import { pixelDescription } from '../../pixels/codecs/description.ts';
import type { RenderedStudy } from '../../render/fetched-frames.ts';
import { Pictures, type ReadableImages } from '../../render/pictures.ts';
import { ThumbnailCache } from '../../render/thumbnail-cache.ts';
import { atOnce } from '../../render/test/at-once.ts';
import { absurdBytes, absurdDataset } from './datasets.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { encodeMetadata } from '../../parsing/object-metadata.ts';
import { Budget } from '../../dicom/part10/budget.ts';
import { TASKS } from '../../threads/tasks.ts';
import { hold, orRefused, type Target } from './target.ts';

const TARGET = { studyUid: '1', seriesUid: '1.1', instanceUid: '1.1.1' };
const ACCEPTED = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', '*/*', 'image/svg+xml', 'text/html'];
const QUERIES = [
  '',
  'window=0,1,linear',
  'window=1e9,1e-9,sigmoid',
  'viewport=64,64',
  'viewport=9,9,1,1,-2,-2',
];

/** First bytes of each media type. */
const STARTS: Record<string, string> = {
  'image/jpeg': '\xff\xd8',
  'image/png': '\x89PNG',
  'image/gif': 'GIF8',
  'image/webp': 'RIFF',
  'image/svg+xml': '<svg',
  'text/html; charset=utf-8': '<!DOCTYPE',
};

const pictures = new Pictures({
  ...atOnce,
  threads: { run: async (name, input) => TASKS[name](input as never) as never },
  // An impossible directory, so that nothing is kept between cases.
  thumbnails: new ThumbnailCache({ directory: '/dev/null/none' }),
  now: () => 0,
});

/** Objects with absurd attributes, rendered as pictures, reports, waveforms and documents. */
export const render: Target = {
  name: 'render',
  async run(random) {
    const dataset = { ...absurdDataset(random), ...(random.chance(0.7) ? image(random) : {}) };
    const core = coreOf(dataset, random);
    const request = {
      target: TARGET,
      frames: random.chance(0.2) ? [1 + random.below(3)] : undefined,
      query: new URLSearchParams(`${random.of(QUERIES)}&annotation=overlay,technique,patient`),
      accept: parseAccept(random.of(ACCEPTED), []),
    };
    if (random.chance(0.3)) request.query.delete('annotation');
    const kind = random.of(['rendered', 'rendered', 'thumbnail'] as const);
    const payload = await orRefused(() => pictures[kind](core, request));
    if (!payload || payload.body instanceof Readable) return;
    const type = payload.headers['content-type']!;
    const start = STARTS[type];
    const given = Buffer.from(payload.body).toString('latin1', 0, 9);
    hold(start === undefined || given.startsWith(start), `${type} that starts with ${JSON.stringify(given)}`);
  },
};

/** Returns attributes of a small image, some of them wrong. */
function image(random: Random): DicomJson {
  const us = (value: number) => ({ vr: 'US', Value: [value] });
  const bits = random.of([1, 8, 16, 32]);
  const samples = random.chance(0.2) ? 3 : 1;
  return {
    '00280010': us(random.of([1, 4, 7, 16])),
    '00280011': us(random.of([1, 4, 7, 16])),
    '00280100': us(bits),
    '00280101': us(random.chance(0.7) ? bits : 1 + random.below(bits)),
    '00280103': us(random.below(2)),
    '00280002': us(samples),
    '00280004': {
      vr: 'CS',
      Value: [random.of(['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR', 'RGB', 'YBR_FULL'])],
    },
    ...(random.chance(0.8) && { '00280102': us(bits - 1) }),
    ...(random.chance(0.8) && { '00280008': { vr: 'IS', Value: [1 + random.below(3)] } }),
  };
}

function coreOf(dataset: DicomJson, random: Random): ReadableImages {
  const pixels = pixelDescription(dataset);
  const size = pixels
    ? Math.ceil((pixels.rows * pixels.columns * pixels.samplesPerPixel * pixels.bitsAllocated) / 8)
    : 0;
  const length = size > 0 && size < 1e6 ? size : 16;
  const version = { source: '', patient: '', stamp: '' };
  const study: RenderedStudy = {
    uid: TARGET.studyUid,
    usedCopy: false,
    instances: async () => [dataset],
    metadata: async () => encodeMetadata(dataset, TARGET, new Budget()),
    async frames(_target, numbers) {
      async function* frames() {
        for (const _ of numbers) yield random.bytes(length);
      }
      const transferSyntax = TransferSyntax.ExplicitVRLittleEndian;
      return { mediaType: '', transferSyntax, frames: frames(), version };
    },
    async bulkdata() {
      const bytes = absurdBytes(random);
      return { mediaType: '', size: bytes.length, open: () => Readable.from([bytes]) };
    },
    version: async () => version,
  };
  return { read: (_target, _part, work) => work(study) };
}
