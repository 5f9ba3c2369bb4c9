import dicomParser, { type DataSet } from 'dicom-parser';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ALL_DEMO_IMAGES } from '../test/setup/demo-images.ts';
import { NODULE } from './chest-anatomy.ts';
import { AIR_BELOW, NODULE_ABOVE } from './segmentation.ts';

const STUDY = join(ALL_DEMO_IMAGES, 'castellanos-ct-chest-2026');
const read = (file: string): DataSet => dicomParser.parseDicom(readFileSync(file));
const object = read(join(STUDY, 'series-800', '0001.dcm'));
const groups = object.elements['x52009230']!.items!.map(({ dataSet }) => dataSet!);
const FRAME = 512 * 512;

/** Returns an attribute of the first item of a sequence. */
const inside = (dataset: DataSet, sequence: string) => dataset.elements[sequence]!.items![0]!.dataSet!;
const segmentOf = (group: DataSet) => inside(group, 'x0062000a').uint16('x0062000b')!;
const isSet = (frame: number, pixel: number) => {
  const bit = frame * FRAME + pixel;
  return (object.byteArray[object.elements['x7fe00010']!.dataOffset + (bit >> 3)]! >> (bit & 7)) & 1;
};

test('has a frame for each slice with pixels of a segment, and names the image', () => {
  const images = new Map(
    readdirSync(join(STUDY, 'series-2')).map((name) => {
      const image = read(join(STUDY, 'series-2', name));
      return [image.string('x00080018')!, image];
    }),
  );
  expect(object.intString('x00280008')).toBe(groups.length);
  expect(object.string('x00200052')).toBe([...images.values()][0]!.string('x00200052'));
  for (const [frame, group] of groups.entries()) {
    const source = inside(inside(group, 'x00089124'), 'x00082112').string('x00081155')!;
    const image = images.get(source)!;
    expect(inside(group, 'x00209113').string('x00200032')).toBe(image.string('x00200032'));
    if (frame % 20 !== 0 && segmentOf(group) === 1) continue;
    // Every pixel keeps the threshold of its segment, by the image's own values.
    const { buffer, byteOffset } = image.byteArray;
    const values = new DataView(buffer, byteOffset + image.elements['x7fe00010']!.dataOffset);
    let pixels = 0;
    let beyond = 0;
    for (let pixel = 0; pixel < FRAME; pixel++) {
      if (!isSet(frame, pixel)) continue;
      pixels++;
      const hu = values.getInt16(2 * pixel, true) - 1024;
      if (segmentOf(group) === 1 ? hu >= AIR_BELOW : hu <= NODULE_ABOVE) beyond++;
    }
    expect(beyond).toBe(0);
    expect(pixels).toBeGreaterThan(0);
  }
});

test('the nodule is as large as it was drawn, and the air is that of lungs', () => {
  const count = (segment: number) => {
    let pixels = 0;
    for (const [frame, group] of groups.entries()) {
      if (segmentOf(group) !== segment) continue;
      for (let pixel = 0; pixel < FRAME; pixel++) pixels += isSet(frame, pixel);
    }
    return (pixels * 0.703125 ** 2 * 1.5) / 1000;
  };
  // A sphere of 4.5 mm with two lobes: 0.38 to 0.7 ml.
  expect(count(2)).toBeGreaterThan(0.35);
  expect(count(2)).toBeLessThan(0.8);
  expect(count(1)).toBeGreaterThan(2_000);
  expect(count(1)).toBeLessThan(7_000);
  const heights = groups
    .filter((group) => segmentOf(group) === 2)
    .map((group) => Number(inside(group, 'x00209113').string('x00200032')!.split('\\')[2]));
  for (const height of heights) expect(Math.abs(height - NODULE.z)).toBeLessThan(8);
});
