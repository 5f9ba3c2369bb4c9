import type { Channel } from '../../domain/documents/waveform.ts';
import { m } from '../../messages/compiled/messages.js';

/** Says what the device has filtered away: `0.05–150 Hz, without 50 Hz`. Empty if it says nothing, or differs by lead. */
export function filterWords(channels: readonly Channel[]): string {
  const all = channels.map(({ filter: { low, high, notch } }) => {
    const band = high === undefined ? low && `> ${low} Hz` : `${low ?? 0}–${high} Hz`;
    return [band, notch && m.waveformNotch({ frequency: notch })].filter(Boolean).join(', ');
  });
  const [first = ''] = all;
  if (all.some((one) => one !== first)) return m.waveformFilters();
  return first && m.waveformFilter({ filter: first });
}
