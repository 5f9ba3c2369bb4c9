import { DIASTOLIC, SYSTOLIC } from '../../domain/record/blood-pressure.ts';
import type { Result } from '../../domain/record/record.ts';
import type { Wording } from '../../messages/modalities.ts';
import { unitWords } from '../../messages/plain/codes.ts';
import { nameFor } from '../../messages/plain/names.ts';

/** Returns a value as people write it: `128/82 mmHg` for a blood pressure, a unit as it is read aloud. */
export function valueWords({ value, parts, measures = [] }: Result, wording: Wording): string {
  const [upper, lower] = [SYSTOLIC, DIASTOLIC].map((code) =>
    measures.find(({ concept }) => concept.code === code),
  );
  if (upper && lower && upper.unit === lower.unit)
    return `${upper.value}/${lower.value} ${unitWords(upper.unit)}`;
  if (!parts) return measures.length === 1 ? rangeWords(value) : value;
  const words = parts.map((part) => {
    const isNumber = /^[\d-]/.test(part.value);
    return `${nameFor(part.concept, wording)} ${isNumber ? rangeWords(part.value) : part.value}`;
  });
  return words.join(', ');
}

/** Returns a value or a reference range with its unit, the last word unless that is a number, as people write it. */
export function rangeWords(text: string): string {
  return text.replace(/(?<= )\S*[^\s\d.,–-]\S*$/, unitWords).trim();
}
