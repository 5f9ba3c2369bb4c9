import { number, text, type Instance } from '../instance.ts';

/** The window that an image brings along, and the function that it is for (PS3.3 §C.11.2). */
export interface Voi {
  centre: number;
  width: number;
  function: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';
}

/** Returns the first window of an image; undefined without one. A window that is narrower than the standard allows is none. */
export function voiOf(metadata: Instance): Voi | undefined {
  const [centre, width] = ['00281050', '00281051'].map((tag) => number(metadata, tag));
  const named = text(metadata, '00281056');
  const voiFunction = named === 'LINEAR_EXACT' || named === 'SIGMOID' ? named : 'LINEAR';
  if (centre === undefined || width === undefined) return undefined;
  const isWide = voiFunction === 'LINEAR' ? width >= 1 : width > 0;
  return isWide ? { centre, width, function: voiFunction } : undefined;
}
