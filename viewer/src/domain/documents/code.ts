/** Coded concepts (PS3.3 §8). */
import { items, text, type Instance } from '../instance.ts';

export interface Code {
  value: string;
  /** Coding Scheme Designator, such as `SCT`. */
  scheme: string;
  /** Code Meaning; the value where there is none. */
  meaning: string;
}

/** Returns the first code of a code sequence, whether it is short, long or a URN; undefined if there is none. */
export function codeOf(instance: Instance, sequence: string): Code | undefined {
  const [item] = items(instance, sequence);
  if (!item) return undefined;
  const value = text(item, '00080100') ?? text(item, '00080119') ?? text(item, '00080120') ?? '';
  const meaning = text(item, '00080104') ?? value;
  return meaning === '' ? undefined : { value, scheme: text(item, '00080102') ?? '', meaning };
}

/** Returns true if the code is one of these: `SCT 363698007`. */
export function isCode(code: Code | undefined, names: ReadonlySet<string>): boolean {
  return code !== undefined && names.has(`${code.scheme} ${code.value}`);
}
