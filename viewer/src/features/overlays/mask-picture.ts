import type { Colour } from '../../domain/overlays/cielab.ts';

/** Returns a picture of opacities in one colour, as the address of an image. */
export function pictureOf(
  { columns, rows, opacities }: { columns: number; rows: number; opacities: Uint8Array },
  [red, green, blue]: Colour,
): string {
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d')!;
  const picture = context.createImageData(columns, rows);
  // Browsers run on machines of little endian.
  const pixels = new Uint32Array(picture.data.buffer);
  const rgb = red | (green << 8) | (blue << 16);
  for (let at = 0; at < opacities.length; at++) pixels[at] = rgb | (opacities[at]! << 24);
  context.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}
