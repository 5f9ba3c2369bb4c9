/** Times of DICOM (PS3.5 §6.2) as seconds since 1970. */
import { text, type Instance } from './instance.ts';

/** Reads a DA and a TM; undefined unless both are there. Without an offset (0008,0201) the time is as if it were UTC. */
export function secondsOf(instance: Instance, dateTag: string, timeTag: string): number | undefined {
  const [date, time] = [text(instance, dateTag), text(instance, timeTag)];
  return date === undefined || time === undefined
    ? undefined
    : secondsOfText(date.trim() + time.trim(), offsetOf(instance));
}

/** Reads a DT. Its own offset counts only where the other times of the image have one too: they are compared. */
export function secondsOfDateTime(instance: Instance, value: string | undefined): number | undefined {
  const [, digits = '', own] = /^([\d.]+)([+-]\d{4})?$/.exec(value?.trim() ?? '') ?? [];
  const common = offsetOf(instance);
  return secondsOfText(digits, common === undefined ? undefined : (own ?? common));
}

/** Timezone Offset From UTC, PS3.3 §C.12.1.1.8: `+0100`. */
function offsetOf(instance: Instance): string | undefined {
  const offset = text(instance, '00080201')?.trim();
  return /^[+-]\d{4}$/.test(offset ?? '') ? offset : undefined;
}

function secondsOfText(value: string, offset: string | undefined): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(\.\d{1,6})?$/.exec(value);
  if (!parts) return undefined;
  const [year, month, day, hours, minutes = 0, seconds = 0] = parts
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const whole = Date.UTC(year!, month! - 1, day, hours, minutes, seconds) / 1000;
  const shift = offset ? Number(offset.slice(1, 3)) * 3600 + Number(offset.slice(3)) * 60 : 0;
  return whole + Number(parts[7] ?? 0) - (offset?.startsWith('-') ? -shift : shift);
}
