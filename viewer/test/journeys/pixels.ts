/** What is on the glass of the real page, to be compared with frames of the server. */
import type { Page } from 'playwright-core';
import type { Pixels } from '../engine/engine-page.ts';

/** Returns the pixels of a canvas, red, green and blue: of the engine's, if no other is named. */
export async function pixelsOf(page: Page, canvas = '.engine canvas'): Promise<Pixels> {
  const { width, height, data } = await page.evaluate(async (selector) => {
    const element = document.querySelector<HTMLCanvasElement>(selector)!;
    const copy = new OffscreenCanvas(element.width, element.height).getContext('2d')!;
    copy.drawImage(element, 0, 0);
    const { data } = copy.getImageData(0, 0, element.width, element.height);
    const blob = new Blob([data.filter((_, at) => at % 4 < 3)]);
    const url = await new Promise<string>((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result as string);
      reader.readAsDataURL(blob);
    });
    return { width: element.width, height: element.height, data: url.split(',')[1]! };
  }, canvas);
  return { width, height, data: Buffer.from(data, 'base64') };
}

/** Cuts the middle out of pixels. */
export function middle({ width, height, data }: Pixels, size: { width: number; height: number }): Pixels {
  const [left, top] = [(width - size.width) / 2, (height - size.height) / 2];
  const rows = Array.from({ length: size.height }, (_, row) => {
    const start = 3 * ((top + row) * width + left);
    return data.subarray(start, start + 3 * size.width);
  });
  return { ...size, data: Buffer.concat(rows) };
}

/** Names of an image of a series of the tenant without sign-in, which has the same images. */
export async function imageOf(
  gateway: string,
  study: string,
  image: { series: number; instance: number },
): Promise<{ series: string; instance: string }> {
  const row = async (path: string) => {
    const rows = (await (await fetch(`${gateway}/open/dicomweb/studies/${study}/${path}`)).json()) as Record<string, { Value: string[] }>[]; // prettier-ignore
    return rows[0]!;
  };
  const series = (await row(`series?SeriesNumber=${image.series}`))['0020000E']!.Value[0]!;
  const instance = await row(`series/${series}/instances?InstanceNumber=${image.instance}`);
  return { series, instance: instance['00080018']!.Value[0]! };
}
