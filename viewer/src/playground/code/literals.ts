/** Texts and values as literals of programming languages. Nothing in a text is run, whatever it holds. */

/** A word of a POSIX shell: within single quotes nothing is special but the quote. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A template literal of JavaScript, over several lines. */
export function jsTemplate(text: string): string {
  const escaped = text.replaceAll(/[\\`]|\$(?=\{)/g, '\\$&');
  // A carriage return would be read as a line feed.
  return `\`${escaped.replaceAll('\r', '\\r')}\``;
}

/** A value of JSON in JavaScript. */
export function jsValue(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** A string of Python, over several lines. */
export function pythonText(text: string): string {
  const escaped = text.replaceAll(/["\\]/g, '\\$&').replaceAll(CONTROL, (one) => `\\x${hex(one, 2)}`);
  return `"""${escaped}"""`;
}

/** A value of JSON in Python. */
export function pythonValue(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  // Strings of JSON are strings of Python.
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(', ')}]`;
  const members = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${pythonValue(one)}`);
  return `{${members.join(', ')}}`;
}

/** A string of R, over several lines. R reads a file in the language of its system: only ASCII is the same in all. */
export function rText(text: string): string {
  const escaped = text.replaceAll(/["\\]/g, '\\$&').replaceAll(CONTROL, rCharacter);
  return `"${escaped.replaceAll(/[^\x00-\x7f]/gu, rCharacter)}"`;
}

const rCharacter = (one: string) => `\\U{${hex(one, 4)}}`;

/** Control characters, but for tabs and line feeds. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

function hex(character: string, digits: number): string {
  return character.codePointAt(0)!.toString(16).padStart(digits, '0');
}
