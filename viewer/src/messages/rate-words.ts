import { m } from './compiled/messages.js';
import { getLocale } from './compiled/runtime.js';

/**
 * Returns a speed in words: `24 images/s (true time)`, `12 images/s (0.5 × true time)`.
 * @param isKnown false where the images have no times of their own
 */
export function rateWords({ rate, factor }: { rate: number; factor: number }, isKnown: boolean): string {
  const number = (value: number) =>
    value.toLocaleString(getLocale(), { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
  const words = m.cineRate({ rate: number(rate) });
  if (!isKnown) return words;
  return factor === 1
    ? m.cineTrueTime({ rate: words })
    : m.cineTimesTrueTime({ rate: words, factor: number(factor) });
}
