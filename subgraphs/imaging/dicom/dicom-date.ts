/** DICOM dates and times (PS3.5 §6.2: DA, TM) as FHIR dateTime, never more precise than what was recorded (IA-16). */

/**
 * A FHIR dateTime.
 * @param date DA `YYYYMMDD`, the old `YYYY.MM.DD`, or the partial `YYYY` and `YYYYMM` that some files hold
 * @param time TM `HHMM[SS[.FFFFFF]]`, the old `HH:MM:SS`
 * @param offset TimezoneOffsetFromUTC, `+HHMM`; without it the time of day is left out: FHIR allows no time without
 * its zone, and the zone is not ours to guess
 * @returns undefined where the date is none
 */
export function fhirDateTime(
  date: string | undefined,
  time: string | undefined,
  offset: string | undefined,
): string | undefined {
  const day = fhirDate(date);
  if (day?.length !== 10) return day;
  const clock = timeOfDay(time);
  const zone = utcOffset(offset);
  return clock && zone ? `${day}T${clock}${zone}` : day;
}

/** A FHIR date of year, month or day precision; undefined where it is none or not in the calendar. */
function fhirDate(date: string | undefined): string | undefined {
  const digits = (date ?? '').trim().replace(/^(\d{4})[.-](\d{2})[.-](\d{2})$/, '$1$2$3');
  const [, year, month, day] = /^(\d{4})(\d{2})?(\d{2})?$/.exec(digits) ?? [];
  if (!year || year === '0000') return undefined;
  const text = [year, month, day].filter((part) => part !== undefined).join('-');
  const parsed = new Date(
    `${text}T00:00:00Z`.replace(/^(\d{4})T/, '$1-01T').replace(/^(\d{4}-\d{2})T/, '$1-01T'),
  );
  // The 30th of February parses, as the 2nd of March.
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(text) ? text : undefined;
}

function timeOfDay(time: string | undefined): string | undefined {
  const match = /^([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?$/.exec((time ?? '').trim());
  // Seconds are required by FHIR's syntax and may be zero-filled (FHIR R4 §2.24.0.1); minutes may not.
  return match ? `${match[1]}:${match[2]}:${match[3] ?? '00'}${match[4] ?? ''}` : undefined;
}

/** `+0100` → `+01:00`; within the range that PS3.3 §C.12.1.1.8 allows. */
function utcOffset(offset: string | undefined): string | undefined {
  const match = /^([+-])(\d{2}):?([0-5]\d)$/.exec((offset ?? '').trim());
  if (!match) return undefined;
  const minutes = Number(`${match[1]}1`) * (Number(match[2]) * 60 + Number(match[3]));
  return minutes >= -720 && minutes <= 840 ? `${match[1]}${match[2]}:${match[3]}` : undefined;
}
