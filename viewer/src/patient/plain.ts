/** Words for people: modality names and dates as they are spoken. Never a diagnosis of our own. */

const MODALITIES: Record<string, string> = {
  CT: 'CT scan',
  MR: 'MRI',
  US: 'Ultrasound',
  XA: 'Angiogram',
  CR: 'X-ray',
  DX: 'X-ray',
  MG: 'Mammogram',
  NM: 'Nuclear medicine scan',
  PT: 'PET scan',
  RF: 'Fluoroscopy',
  ECG: 'ECG',
  SR: 'Measurements',
  SEG: 'Segmentation',
};

/** `MR` → `MRI`; codes without a plain name stay as they are (DICOM PS3.16 CID 33). */
export function modalityName(code: string): string {
  return MODALITIES[code] ?? code;
}

/** A FHIR date or dateTime, of any precision, as `12 Mar 2026`, `Mar 2026` or `2026`; the text itself if it is not one. */
export function dayOf(date: string, locale = 'en-GB'): string {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?/.exec(date) ?? [];
  if (!year) return date;
  if (!month) return year;
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1)));
  return at.toLocaleDateString(locale, {
    timeZone: 'UTC',
    year: 'numeric',
    month: 'short',
    ...(day && { day: 'numeric' }),
  });
}

/** Completed years between a FHIR birth date and today (both `YYYY[-MM[-DD]]`); undefined where unknown. */
export function ageOn(birthDate: string | null | undefined, today: string): number | undefined {
  if (!birthDate || !/^\d{4}/.test(birthDate)) return undefined;
  const years = Number(today.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return today.slice(5) < birthDate.slice(5) ? years - 1 : years;
}

/** `1 object`, `208 objects`, `? objects` where nobody counted. */
export function countOf(count: number | null | undefined, noun: string): string {
  return `${count ?? '?'} ${noun}${count === 1 ? '' : 's'}`;
}
