/** Image Pixel attributes of a data set, PS3.3 §C.7.6.3. */
export interface PixelDescription {
  rows: number;
  columns: number;
  samplesPerPixel: number;
  bitsAllocated: number;
  bitsStored: number;
  highBit: number;
  pixelRepresentation: 0 | 1;
  planarConfiguration: 0 | 1;
  photometricInterpretation: string;
  numberOfFrames: number;
  /** Float Pixel Data (7FE0,0008) and Double Float Pixel Data (7FE0,0009), PS3.3 §C.7.6.24. */
  floating?: 'float' | 'double';
  /** True if overlays lie in the bits beside the stored ones (retired). */
  overlaysBeside?: true;
}
