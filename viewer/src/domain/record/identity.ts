/** Compares the patient whom an image names with the patient of the record. */
import { foldedText } from '../../../../schema/fhir/folded-text.ts';
import { text, type Instance } from '../instance.ts';
import type { Person } from './record.ts';

export type IdentityPart = 'name' | 'birthDate' | 'number';

/** The patient whom an image states; a member is undefined where the image does not state it. */
export interface ImageIdentity {
  name?: string;
  /** `YYYY-MM-DD` */
  birthDate?: string;
  number?: string;
}

export interface IdentityComparison {
  /** `unknown`: the image names nobody. */
  outcome: 'same' | 'different' | 'unknown';
  differs: readonly IdentityPart[];
  image: ImageIdentity;
}

/** Reads Patient's Name, ID and Birth Date (PS3.3 §C.7.1.1). */
export function imageIdentity(instance: Instance): ImageIdentity {
  const date = /^(\d{4})(\d\d)(\d\d)$/.exec(text(instance, '00100030') ?? '');
  return {
    name: text(instance, '00100010')?.split('^').filter(Boolean).join(' ') || undefined,
    number: text(instance, '00100020')?.trim() || undefined,
    birthDate: date?.slice(1).join('-'),
  };
}

/**
 * Compares name, birth date and number. Another number alone is no difference when name and birth date agree: images from
 * another hospital keep the number that they had there.
 */
export function compareIdentity(person: Person, instance: Instance): IdentityComparison {
  const image = imageIdentity(instance);
  const name = image.name === undefined ? undefined : sameName(image.name, person.name);
  const birthDate =
    image.birthDate === undefined || person.birthDate === undefined
      ? undefined
      : image.birthDate.startsWith(person.birthDate.slice(0, 10));
  const number =
    image.number === undefined || person.mrns.length === 0 ? undefined : person.mrns.includes(image.number);
  const confirmed = name === true && birthDate === true;
  const differs: IdentityPart[] = [
    ...(name === false ? (['name'] as const) : []),
    ...(birthDate === false ? (['birthDate'] as const) : []),
    ...(number === false && !confirmed ? (['number'] as const) : []),
  ];
  const known = [name, birthDate, number].some((agrees) => agrees !== undefined);
  return { outcome: differs.length > 0 ? 'different' : known ? 'same' : 'unknown', differs, image };
}

/** True if one name has all words of the other; initials, accents, case and order do not count. */
function sameName(one: string, other: string): boolean {
  const [few, many] = [words(one), words(other)].sort((a, b) => a.size - b.size) as [
    Set<string>,
    Set<string>,
  ];
  return few.size > 0 && [...few].every((word) => many.has(word));
}

function words(name: string): Set<string> {
  const plain = foldedText(name);
  return new Set(plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 1));
}
