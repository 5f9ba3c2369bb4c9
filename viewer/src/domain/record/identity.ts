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
  /**
   * `different`: a part contradicts the record. `nameless`: the image has no name, and what else it says agrees. `unknown`:
   * nothing contradicts, and nothing agrees.
   */
  outcome: 'same' | 'different' | 'nameless' | 'unknown';
  differs: readonly IdentityPart[];
  agrees: readonly IdentityPart[];
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
 * another hospital keep the number that they had there. What stands in the place of a name that was removed is no name; any
 * other one counts, also where Patient Identity Removed (0012,0062) is YES.
 */
export function compareIdentity(person: Person, instance: Instance): IdentityComparison {
  const image = imageIdentity(instance);
  const agreeing = {
    name: nameAgrees(image, person, instance),
    birthDate:
      image.birthDate === undefined || person.birthDate === undefined
        ? undefined
        : image.birthDate.startsWith(person.birthDate.slice(0, 10)),
    number:
      image.number === undefined || person.mrns.length === 0
        ? undefined
        : person.mrns.includes(image.number) || (isPlaceholder(image.number) ? undefined : false),
  };
  const confirmed = agreeing.name && agreeing.birthDate;
  if (confirmed && agreeing.number === false) agreeing.number = undefined;
  const partsWith = (agrees: boolean) => PARTS.filter((part) => agreeing[part] === agrees);
  const [differs, agrees] = [partsWith(false), partsWith(true)];
  const outcome =
    differs.length > 0
      ? 'different'
      : agrees.length === 0
        ? 'unknown'
        : agreeing.name === undefined
          ? 'nameless'
          : 'same';
  return { outcome, differs, agrees, image };
}

const PARTS = ['name', 'birthDate', 'number'] as const satisfies readonly IdentityPart[];

/** Words that programs for de-identification, and people, write in place of a name or a number. */
const PLACEHOLDER =
  /^(?:patient|subject|name|id)*(?:removed|anon|anonym(?:ous|us|e)?|anonymi[sz]ed?|anonimo|anonimizad[oa]|deidentified|redacted|withheld|masked|unknown|desconocid[oa]|none|noname|notavailable|x{3,}(?!x))+(?:patient|subject|name|id)*\d*$/;

function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(foldedText(value).replace(/[^\p{L}\p{N}]/gu, ''));
}

/** Undefined for no name, a placeholder, the number again, and a code such as `CASE-017` where the identity was removed. */
function nameAgrees(
  { name, number }: ImageIdentity,
  person: Person,
  instance: Instance,
): boolean | undefined {
  if (name === undefined || isPlaceholder(name)) return undefined;
  if (sameName(name, person.name)) return true;
  const isCode = /\d/.test(name) && (name === number || text(instance, '00120062') === 'YES');
  return isCode ? undefined : false;
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
