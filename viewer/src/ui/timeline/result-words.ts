import type { Result } from '../../domain/record/record.ts';
import { unitWords } from '../../messages/plain/codes.ts';

/** LOINC codes of the two values of a blood pressure. */
const [SYSTOLIC, DIASTOLIC] = ['8480-6', '8462-4'];

/** Returns a value as people write it: `128/82 mmHg` for a blood pressure, a unit as it is read aloud. */
export function valueWords({ value, measures = [] }: Result): string {
  const [upper, lower] = [SYSTOLIC, DIASTOLIC].map((code) =>
    measures.find(({ concept }) => concept.code === code),
  );
  if (upper && lower && upper.unit === lower.unit)
    return `${upper.value}/${lower.value} ${unitWords(upper.unit)}`;
  return measures.length === 1 ? rangeWords(value) : value;
}

/** Returns a value or a reference range with its unit, the last word unless that is a number, as people write it. */
export function rangeWords(text: string): string {
  return text.replace(/(?<= )\S*[^\s\d.,–-]\S*$/, unitWords).trim();
}
