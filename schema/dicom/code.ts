import { items, text, type DicomValues } from './dicom.ts';
import { plainText } from './plain-text.ts';

/** Coded concepts, PS3.3 §8. */

export interface Code {
  /** Undefined where only the meaning is stated. */
  value: string | undefined;
  /** Coding Scheme Designator, such as `SCT`. */
  scheme: string | undefined;
  /** Code Meaning; the value where there is none. */
  meaning: string;
}

/** Returns the first code of a code sequence, whether it is short, long or a URN; undefined if there is none. */
export function codeOf(dataset: DicomValues, sequence: string): Code | undefined {
  const [item] = items(dataset, sequence);
  if (!item) return undefined;
  const stated = (tag: string) => plainText(text(item, tag));
  const value = stated('00080100') ?? stated('00080119') ?? stated('00080120');
  const meaning = stated('00080104') ?? value;
  return meaning === undefined ? undefined : { value, scheme: stated('00080102'), meaning };
}

/** Older names of the scheme SRT (PS3.16 §8). */
const SNOMED_RT = new Set(['SNM3', '99SDM']);

/** Returns true if the code is one of these, written `scheme value`, such as `SCT 363698007`. */
export function isCode(code: Code | undefined, names: ReadonlySet<string>): boolean {
  if (code?.value === undefined || code.scheme === undefined) return false;
  const scheme = SNOMED_RT.has(code.scheme) ? 'SRT' : code.scheme;
  return names.has(`${scheme} ${code.value}`);
}
