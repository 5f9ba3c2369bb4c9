import { m } from '../../messages/compiled/messages.js';
import { getLocale } from '../../messages/compiled/runtime.js';
import type { Player } from './player.svelte.ts';

/** Returns a speed in words: `24 images/s (true time)`, `12 images/s (0.5 × true time)`. */
export function rateWords({ rate, factor, timing }: Pick<Player, 'rate' | 'factor' | 'timing'>): string {
  const number = (value: number) =>
    value.toLocaleString(getLocale(), { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
  const words = m.cineRate({ rate: number(rate) });
  if (timing.source === 'usual') return words;
  return factor === 1
    ? m.cineTrueTime({ rate: words })
    : m.cineTimesTrueTime({ rate: words, factor: number(factor) });
}
