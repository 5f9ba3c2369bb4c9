/** Segmentations of another maker through a real gateway: every transfer syntax gives the same pixels, at their place. */
import dicomParser from 'dicom-parser';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { describeWithSharedData, sharedDataPath } from '../../gateway/test/setup/shared-data.ts';
import { buildTestGateway, type TestGateway } from '../../gateway/test/test-gateway.ts';
import { DicomwebSource } from '../src/data/dicomweb/dicomweb-source.ts';
import { Transport } from '../src/data/transport.ts';
import { number, numbers, text, type Instance } from '../src/domain/instance.ts';
import { segmentations } from '../src/domain/overlays/segmentation.ts';
import { pixelsOf } from '../src/features/overlays/pixels-of.ts';
import { AXIAL, covered, imagesAt, of, targetsOf, type Placed } from './setup/overlay-objects.ts';

const STUDY = '1.2.392.200103.20080913.113635.0.2009.6.22.21.43.10.22941.1';
const SYNTAXES = [
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2.5',
  '1.2.840.10008.1.2.4.90',
  '1.2.840.10008.1.2.8.1',
];

describeWithSharedData('segmentations of the liver', () => {
  let gateway: TestGateway;
  let at: { dicomweb: string };
  let images: DicomwebSource;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    const port = await freePort();
    gateway = await buildTestGateway(
      ({ patients }) => ({
        open: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', path: sharedDataPath('dicom', 'seg'), lookup: 'all-studies-on-server' },
        },
      }),
      undefined,
      undefined,
      { port },
    );
    at = { dicomweb: `http://127.0.0.1:${port}/open/dicomweb` };
    images = new DicomwebSource(new Transport([at.dicomweb]));
  }, 120_000);
  afterAll(() => gateway?.close());

  /** Returns the objects with their pixels, as the viewer gets them. */
  async function loaded(): Promise<{ instance: Instance; bytes: Uint8Array }[]> {
    const answer = await fetch(`${at.dicomweb}/studies/${STUDY}/series`);
    const series = ((await answer.json()) as Instance[]).map((one) => text(one, '0020000E')!);
    const all = await Promise.all(
      series.map(async (uid) => {
        const name = { study: STUDY, series: uid };
        const [instance] = await images.series(at, name, signal);
        const asked = { images, at, name, instance: instance!, signal, onProgress: () => undefined };
        return { instance: instance!, bytes: await pixelsOf(asked) };
      }),
    );
    return all;
  }

  /** Unpacks frames by hand. */
  const bitsOf = (bytes: Uint8Array, size: number) =>
    Uint8Array.from({ length: 3 * size * size }, (_, bit) => (bytes[bit >> 3]! >> (bit & 7)) & 1);
  const isSame = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

  test('are the same in every transfer syntax, at their place on the images', async () => {
    const all = await loaded();
    expect(all).toHaveLength(7);
    expect(new Set(all.map(({ instance }) => text(instance, '00083002')))).toEqual(new Set(SYNTAXES));
    const file = dicomParser.parseDicom(readFileSync(sharedDataPath('dicom/seg/liver_nonbyte_aligned.dcm')));
    const { dataOffset, length } = file.elements['x7fe00010']!;
    const stored = bitsOf(file.byteArray.subarray(dataOffset, dataOffset + length), 510);
    const liver = stored.filter((bit) => bit === 1).length;
    expect(liver).toBeGreaterThan(1000);
    for (const { instance, bytes } of all) {
      const size = number(instance, '00280010')!;
      const bits = bitsOf(bytes, size);
      // Those of 512 × 512 are the same with two rows and columns more.
      const within = bits.filter((_, bit) => bit % size < 510 && Math.floor(bit / size) % size < 510);
      expect(isSame(within, stored)).toBe(true);
      const reading = await segmentations.read(instance, () => Promise.resolve(bytes));
      if ('refused' in reading) throw new Error(reading.refused);
      const [part] = reading.content.parts;
      expect(part).toMatchObject({ id: '1', name: 'Liver' });
      const frames = instance['52009230']!.Value as Instance[];
      let drawn = 0;
      for (const [index, group] of frames.entries()) {
        const [target] = targetsOf(imagesAt(placeOf(group, size), frameOf(instance)));
        const cover = covered(reading.content.shapesOn(target!, part!), target!);
        const frame = bits.subarray(index * size * size, (index + 1) * size * size);
        expect(isSame(Uint8Array.from(cover, Number), frame)).toBe(true);
        drawn += cover.filter(Boolean).length;
      }
      expect(drawn).toBe(bits.filter((bit) => bit === 1).length);
    }
  }, 120_000);
});

const frameOf = (instance: Instance) => ({ '00200052': of('UI', text(instance, '00200052')) });

/** Returns where the CT image under a frame is. */
function placeOf(group: Instance, size: number): Placed {
  const position = numbers(group['00209113']!.Value![0] as Instance, '00200032', 3)!;
  return {
    origin: [position[0]!, position[1]!, position[2]!],
    orientation: AXIAL,
    rows: size,
    columns: size,
    count: 1,
    spacing: [0.810547, 0.810547, 1],
  };
}
