import { dayOf, fromDicomDate } from '../../messages/dates.ts';

/** Formats DICOM DA, TM or DT (PS3.5 §6.2): `20 Jan 2026, 11:24`. Any other text stays as it is. */
export function momentWords(value: string): string {
  const [, date, time] = /^(\d{8})?(\d{2,6})?(?:\.\d+)?(?:[+-]\d{4})?$/.exec(value) ?? [];
  const day = fromDicomDate(date);
  const clock = time && /^\d{4}/.test(time) ? `${time.slice(0, 2)}:${time.slice(2, 4)}` : undefined;
  return [day && dayOf(day), clock].filter(Boolean).join(', ') || value;
}
