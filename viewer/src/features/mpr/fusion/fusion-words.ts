import { text, type Instance } from '../../../domain/instance.ts';
import type { ValueScale } from '../../../domain/grey/value-scale.ts';
import { dayOf, fromDicomDate } from '../../../messages/dates.ts';
import { m } from '../../../messages/compiled/messages.js';

/** `SUV 0–10`, or `0–20000 Bq/ml`. */
export function mostWords(most: number, unit: ValueScale['unit']): string {
  if (unit === 'SUV') return m.windowSuv({ most });
  return [`0–${most}`, unit].filter(Boolean).join(' ');
}

/** `PT 12 Mar 2026`: the modality of an image and its date, as far as it says them. */
export function imageWords(metadata: Instance): string {
  const date = ['00080022', '00080021', '00080020'].map((tag) => text(metadata, tag)).find(Boolean);
  const day = fromDicomDate(date);
  return [text(metadata, '00080060'), day && dayOf(day)].filter(Boolean).join(' ');
}

/** `45 HU`, `SUV 3.2`, or a number without a unit. */
export function valueWords(value: number, unit: ValueScale['unit']): string {
  if (unit === 'SUV') return `SUV ${value.toFixed(1)}`;
  return [Math.round(value), unit].filter((one) => one !== undefined).join(' ');
}
