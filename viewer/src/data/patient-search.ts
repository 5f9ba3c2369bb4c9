/** Search parameters of Patient (R4 §8.1.14). */
export type PatientParameter = 'name' | 'birthdate' | 'identifier';

/**
 * Returns the searches for a text that a user types, in the order in which they are tried until one finds somebody: names
 * may have digits, and record numbers may look like years.
 */
export function patientSearches(text: string | undefined): Partial<Record<PatientParameter, string[]>>[] {
  const wanted = text?.trim() ?? '';
  if (wanted === '') return [{}];
  if (/^\d{4}(-\d\d(-\d\d)?)?$/.test(wanted)) return [{ birthdate: [wanted] }, { identifier: [wanted] }];
  return /\d/.test(wanted) ? [{ identifier: [wanted] }, { name: [wanted] }] : [{ name: [wanted] }];
}
