/** Readable forms of modalities, dates, ages and counts. */

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

/** Returns the plain name of a modality (`MR` → `MRI`), or the code if it has none (DICOM PS3.16 CID 33). */
export function modalityName(code: string): string {
  return MODALITIES[code] ?? code;
}

/** Formats a FHIR date or dateTime as `12 Mar 2026`, `Mar 2026` or `2026`; returns any other text unchanged. */
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

/** Returns the completed years between a FHIR birth date and today (both `YYYY[-MM[-DD]]`); undefined if unknown. */
export function ageOn(birthDate: string | null | undefined, today: string): number | undefined {
  if (!birthDate || !/^\d{4}/.test(birthDate)) return undefined;
  const years = Number(today.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return today.slice(5) < birthDate.slice(5) ? years - 1 : years;
}

/** Formats a count with its noun: `1 object`, `208 objects`, or `? objects` if the count is unknown. */
export function countOf(count: number | null | undefined, noun: string): string {
  return `${count ?? '?'} ${noun}${count === 1 ? '' : 's'}`;
}
