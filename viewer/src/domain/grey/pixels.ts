/** Values of an image by rows, as they are stored: `value × slope + intercept` is what they mean (PS3.3 §C.11.1). */
export interface Pixels {
  columns: number;
  rows: number;
  /** Values of one pixel: 1, or more for colours. */
  samples: number;
  values: ArrayLike<number>;
  slope: number;
  intercept: number;
}
