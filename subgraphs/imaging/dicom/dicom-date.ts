import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { string } from './dicom-text.ts';

/** Converts DICOM dates and times (PS3.5 §6.2: DA, TM) to FHIR, never more precise than they were recorded (IA-16). */

/**
 * Returns a FHIR dateTime.
 * @param date DA `YYYYMMDD`, the old `YYYY.MM.DD`, or the partial `YYYY` and `YYYYMM` of some files
 * @param time TM `HHMM[SS[.FFFFFF]]`, or the old `HH:MM:SS`
 * @param offset TimezoneOffsetFromUTC, `+HHMM`. Without it the time of day is left out, because FHIR allows no time
 * without a zone, and the zone is never guessed
 * @returns undefined when the date is not valid
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

/** Returns when a study began, as a FHIR dateTime. @param offset its zone (default: as its row states it) */
export function startedOf(
  study: DicomJson,
  offset = string(study, Tag.TimezoneOffsetFromUTC),
): string | undefined {
  return fhirDateTime(string(study, Tag.StudyDate), string(study, Tag.StudyTime), offset);
}

/** Returns a FHIR date of year, month or day precision; undefined when it is not a date of the calendar. */
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
  // FHIR requires seconds, which may be filled with zeros; minutes may not (FHIR R4 §2.24.0.1).
  return match ? `${match[1]}:${match[2]}:${match[3] ?? '00'}${match[4] ?? ''}` : undefined;
}

/** Converts `+0100` to `+01:00`, within the range of PS3.3 §C.12.1.1.8. */
function utcOffset(offset: string | undefined): string | undefined {
  const match = /^([+-])(\d{2}):?([0-5]\d)$/.exec((offset ?? '').trim());
  if (!match) return undefined;
  const minutes = Number(`${match[1]}1`) * (Number(match[2]) * 60 + Number(match[3]));
  return minutes >= -720 && minutes <= 840 ? `${match[1]}${match[2]}:${match[3]}` : undefined;
}
