import type { Sharp, SharpConstructor } from 'sharp';
import { escaped } from '../document/markup.ts';
import type { Picture } from './picture.ts';

export type PictureType = 'image/jpeg' | 'image/png' | 'image/webp' | 'image/gif';

/** Texts in the upper corners of a picture. */
export interface Labels {
  left: readonly string[];
  right: readonly string[];
}

export interface EncodeOptions {
  type: PictureType;
  /** Size of the result in pixels. */
  size: { width: number; height: number };
  /** Quality of lossy formats, 1 to 100. */
  quality?: number | undefined;
  labels?: Labels | undefined;
  /** Milliseconds of each picture of an animation. */
  delays?: readonly number[] | undefined;
}

/** Returns the library, which is loaded with the first picture: it takes 27 MB, and many threads never draw. */
async function library(): Promise<SharpConstructor> {
  const { default: sharp } = await import('sharp');
  // Each picture is one task of a pool: threads within a task, and the cache of libvips, are of no use.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/** Encodes a picture in a format for browsers. */
export async function encode(picture: Picture, options: EncodeOptions): Promise<Buffer> {
  const sharp = await library();
  return formatted(shown(sharp, picture, options), options).toBuffer();
}

/**
 * Encodes several pictures as an animation that repeats.
 * @param count at least 2
 * @param picture makes the picture of an index from 0; each is stored before the next is made
 */
export async function encodeMoving(
  count: number,
  picture: (index: number) => Picture,
  options: EncodeOptions,
): Promise<Buffer> {
  const sharp = await library();
  const page = (index: number) =>
    shown(sharp, picture(index), options).toColourspace('srgb').raw().toBuffer();
  const first = await page(0);
  const pages = Buffer.allocUnsafeSlow(first.length * count);
  pages.set(first);
  for (let index = 1; index < count; index++) pages.set(await page(index), index * first.length);
  const { width, height } = options.size;
  const channels = (first.length / (width * height)) as 1 | 3;
  const raw = { width, height: height * count, channels, pageHeight: height };
  return formatted(sharp(pages, { raw }), options).toBuffer();
}

/** A drawing to be converted to a picture. */
export interface RasterTask {
  svg: string;
  type: PictureType;
  /** Size to fit into; without it the drawing keeps its size. */
  viewport?: { width: number; height: number } | undefined;
}

/** Converts a drawing to a picture. */
export async function rasterize({ svg, type, viewport }: RasterTask): Promise<Uint8Array> {
  const sharp = await library();
  const image = sharp(Buffer.from(svg), { density: 96 }).flatten();
  const sized = viewport ? image.resize(viewport.width, viewport.height, { fit: 'inside' }) : image;
  return formatted(sized, { type }).toBuffer();
}

function shown(
  sharp: SharpConstructor,
  { width, height, channels, data }: Picture,
  { size, labels }: EncodeOptions,
): Sharp {
  let image = sharp(data, { raw: { width, height, channels } });
  if (size.width !== width || size.height !== height) image = image.resize({ ...size, fit: 'fill' });
  if (labels) image = image.composite([{ input: Buffer.from(labelSvg(labels, size)) }]);
  return channels === 1 && !labels ? image.toColourspace('b-w') : image;
}

const DEFAULT_QUALITY = 90;

type Format = Pick<EncodeOptions, 'type' | 'quality' | 'delays'>;

function formatted(image: Sharp, { type, quality = DEFAULT_QUALITY, delays }: Format): Sharp {
  const timing = delays ? { delay: [...delays], loop: 0 } : {};
  switch (type) {
    case 'image/jpeg':
      // Optimized Huffman codes save 3 % of the bytes and take half of the time.
      return image.jpeg({ quality, optimizeCoding: false });
    case 'image/png':
      // Speed matters more than the last tenth of the size.
      return image.png({ compressionLevel: 4 });
    case 'image/webp':
      return image.webp({ quality, effort: 2, ...timing });
    case 'image/gif':
      // A palette is reused for the next frame if it nearly fits: making a new one takes most of the time.
      return image.gif({ effort: 1, dither: 0, interPaletteMaxError: 16, ...timing });
  }
}

/** Draws labels in white with a dark rim, legible on any image. */
function labelSvg({ left, right }: Labels, { width, height }: EncodeOptions['size']): string {
  const size = Math.max(9, Math.round(Math.min(width, height) / 36));
  const column = (lines: readonly string[], x: number, anchor: string): string =>
    lines
      .map(
        (line, i) => `<text x="${x}" y="${(i + 1.2) * size}" text-anchor="${anchor}">${escaped(line)}</text>`,
      )
      .join('');
  const style = `font-family="DejaVu Sans, sans-serif" font-size="${size}" fill="#fff" stroke="#000" stroke-width="${size / 8}" paint-order="stroke"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><g ${style}>${column(left, size / 2, 'start')}${column(right, width - size / 2, 'end')}</g></svg>`;
}
