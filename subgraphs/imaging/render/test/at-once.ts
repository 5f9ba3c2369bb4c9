import { rasterize } from '../image/encode.ts';
import { renderPicture } from '../image/picture-task.ts';
import type { PicturesOptions } from '../pictures.ts';

/** Makes pictures in this thread, without waiting for room. */
export const atOnce: Pick<PicturesOptions, 'render' | 'rasterize'> = {
  render: async ({ input }) => renderPicture(await input()),
  rasterize: async ({ input }) => rasterize(await input()),
};
