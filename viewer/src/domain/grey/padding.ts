import { number, type Instance } from '../instance.ts';

/**
 * Returns whether a value, in what it means, stands for no value: Pixel Padding Value, or a range of them
 * (PS3.3 §C.7.5.1.1.2).
 */
export function paddingOf(metadata: Instance): (value: number) => boolean {
  const padding = number(metadata, '00280120');
  if (padding === undefined) return () => false;
  const [slope, intercept] = [number(metadata, '00281053') || 1, number(metadata, '00281052') ?? 0];
  const limits = [padding, number(metadata, '00280121') ?? padding].map((one) => one * slope + intercept);
  const [low, high] = [Math.min(...limits), Math.max(...limits)];
  // Stored values are a whole slope apart; broken slopes are rounded.
  const tolerance = Math.abs(slope) / 1000;
  return (value) => value >= low - tolerance && value <= high + tolerance;
}
