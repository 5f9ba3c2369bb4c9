/** A film of known times, and judges of the video that is saved of it. */
import { expect } from 'vitest';
import { commands, page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { frameId } from '../../src/domain/study.ts';
import { draw, pictureSize } from '../../src/ui/controls/picture-of.ts';
import { stackOf } from './fixtures.ts';

/** Images of the film, and of the slices. */
export const COUNT = 24;

/** Returns the frames of a film. @param changes its times */
export function film(name: { study: string; series: string }, changes: Instance): Stack {
  const stack = stackOf(name, {
    count: COUNT,
    changes: { '00280008': { vr: 'IS', Value: [COUNT] }, ...changes },
  });
  const frames = stack.frames.map((frame, index) => {
    const named = { ...name, instance: `${name.series}.1`, frame: index + 1 };
    return { ...frame, id: frameId(named), name: named };
  });
  return { ...stack, frames };
}
export const frameTime = (milliseconds: number): Instance => ({
  '00181063': { vr: 'DS', Value: [milliseconds] },
});

/** Puts each image on the glass, and draws it as a picture. @returns their luma (BT.709), in Base64, and their size */
export async function pictures(names: boolean) {
  const canvas = document.querySelector<HTMLCanvasElement>('.engine canvas')!;
  const place = { canvas, around: canvas.closest('.surface')!, names };
  const { width, height } = pictureSize(place);
  const size = { width, height };
  const drawn = Object.assign(document.createElement('canvas'), size).getContext('2d')!;
  const all = new Uint8Array(size.width * size.height * COUNT);
  for (let image = 1; image <= COUNT; image++) {
    await userEvent.keyboard(image === 1 ? '{Home}' : '{ArrowDown}');
    await expect.element(page.getByText(`image ${image}/${COUNT}`)).toBeVisible();
    await draw(drawn, place);
    const { data } = drawn.getImageData(0, 0, size.width, size.height);
    const from = (image - 1) * size.width * size.height;
    for (let at = 0; at < data.length; at += 4)
      all[from + at / 4] = 0.2126 * data[at]! + 0.7152 * data[at + 1]! + 0.0722 * data[at + 2]!;
  }
  return { luma: await base64(new Blob([all])), size };
}

const base64 = (blob: Blob) =>
  new Promise<string>((done) => {
    const reader = new FileReader();
    reader.onload = () => done((reader.result as string).replace(/^.*,/, ''));
    reader.readAsDataURL(blob);
  });

export async function judged(blob: Blob, { luma, size }: Awaited<ReturnType<typeof pictures>>) {
  const video = await commands.judgeVideo(await base64(blob), luma, { ...size, left: 0, top: 0 });
  const mean = video.decibels.reduce((sum, one) => sum + one, 0) / video.decibels.length;
  return { ...video, mean, worst: Math.min(...video.decibels) };
}

/** A file that the person has chosen. */
export function chosenFile({ fails = false } = {}) {
  const file = { bytes: new Uint8Array(), ended: '', removed: false };
  const createWritable = () =>
    Promise.resolve({
      write({ data, position }: { data: Uint8Array; position: number }) {
        if (fails) return Promise.reject(new DOMException('full', 'QuotaExceededError'));
        const whole = new Uint8Array(Math.max(file.bytes.length, position + data.length));
        whole.set(file.bytes);
        whole.set(data, position);
        file.bytes = whole;
        return Promise.resolve();
      },
      close: () => Promise.resolve(void (file.ended = 'closed')),
      abort: () => Promise.resolve(void (file.ended = 'aborted')),
    });
  const handle = {
    createWritable,
    getFile: () => Promise.resolve({ size: file.ended === 'closed' ? file.bytes.length : 0 }),
    remove: () => Promise.resolve(void (file.removed = true)),
  };
  const names: string[] = [];
  Object.assign(window, {
    showSaveFilePicker({ suggestedName }: { suggestedName: string }) {
      names.push(suggestedName);
      return Promise.resolve(handle);
    },
  });
  return { file, names };
}
