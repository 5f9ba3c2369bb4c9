import { distanceOf, millivoltsOf, type Channel } from '../../domain/documents/waveform.ts';
import { m } from '../../messages/compiled/messages.js';

/** Says how far two moments of a lead are apart: `820 ms · 73/min · II +1.05 mV`. @param moments in samples */
export function distanceWords(
  channel: Channel,
  frequency: number,
  moments: readonly [number, number],
): string {
  const { milliseconds, difference, perMinute } = distanceOf(channel, frequency, moments);
  const millivolts = millivoltsOf(channel.unit);
  const [value, unit] =
    millivolts === undefined ? [difference, channel.unit] : [difference * millivolts, 'mV'];
  const signed = `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(2)} ${unit}`.trim();
  return [
    `${Math.round(milliseconds)} ms`,
    perMinute === undefined ? '' : m.waveformRate({ rate: Math.round(perMinute) }),
    Number.isNaN(value) ? '' : [channel.label, signed].filter(Boolean).join(' '),
  ]
    .filter(Boolean)
    .join(' · ');
}
