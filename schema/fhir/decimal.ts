/**
 * FHIR decimals keep their precision: 1.10 is not 1.1 (R4 §2.24.0.1). A JavaScript number loses it, so a decimal that
 * would change is kept as text after a mark until it is written again.
 */

/** A private-use character: no FHIR text has it before a number. */
const MARK = '\uE000';

/**
 * Matches a number that may be such a decimal: with a trailing zero, an exponent, or many digits. No two repeated groups
 * that match the same characters are adjacent: a number of a million digits would backtrack through every split.
 */
const SUSPECT = String.raw`-?(?:\d+(?:\.\d*0|\.\d{13,}|(?:\.\d+)?[eE][+-]?\d+)|\d{14,}\.\d+)`;
const AFTER = String.raw`\s*[,}\]]`;
const HAS_SUSPECT = new RegExp(`[:,[]\\s*${SUSPECT}${AFTER}`);
/** Matches one that is a member of an object. No string has two quotes with a name in between, so it is in none. */
const MEMBER = new RegExp(`([{,]\\s*"\\w+"\\s*:\\s*)(${SUSPECT})(?=${AFTER})`, 'g');
/** An unterminated string matches up to the end of the text, so that it is scanned only once. */
const STRING_OR_DECIMAL = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Matches a marked number of JSON only: a text of a record may begin with the mark too. */
const MARKED = /"\uE000(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"/g;

/** Parses FHIR JSON. Decimals that a JavaScript number would change become marked strings. */
export function parseFhirJson(text: string): unknown {
  return JSON.parse(HAS_SUSPECT.test(text) ? withMarks(text) : text);
}

/** Matches an integer that a JavaScript number may not hold. */
const HAS_LONG_INTEGER = /\d{16}/;

/** Parses JSON of any kind. Numbers that a JavaScript number would change become marked strings, integers too. */
export function parseExactJson(text: string): unknown {
  if (!HAS_LONG_INTEGER.test(text)) return parseFhirJson(text);
  return JSON.parse(text.replace(STRING_OR_DECIMAL, exactly));
}

/** Marks decimals. Nearly all are members of objects: these are found without a look at each string. */
function withMarks(text: string): string {
  const membersMarked = text.replace(MEMBER, (_, before: string, number: string) => before + marked(number));
  return HAS_SUSPECT.test(membersMarked) ? text.replace(STRING_OR_DECIMAL, marked) : membersMarked;
}

function marked(token: string): string {
  // A number keeps neither a zero at its end nor its exponent (FG-4).
  return /[.eE]/.test(token) ? exactly(token) : token;
}

function exactly(token: string): string {
  return !token.startsWith('"') && String(Number(token)) !== token ? `"${MARK}${token}"` : token;
}

/** Writes FHIR JSON with every decimal as it was read. @param space indentation */
export function writeFhirJson(value: unknown, space?: number): string {
  return withDecimals(JSON.stringify(value, undefined, space));
}

/** Restores marked decimals in JSON that was written by another function. */
export function withDecimals(json: string): string {
  return json.includes(MARK) ? json.replace(MARKED, '$1') : json;
}

/** Returns true for a decimal as `parseFhirJson` gives it. */
export function isDecimal(value: unknown): value is number | string {
  return typeof value === 'number' || (typeof value === 'string' && value.startsWith(MARK));
}

/** Returns the nearest number for a marked decimal, and any other value unchanged. */
function decimalNumber(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? Number(value.slice(1)) : value;
}

/** Returns the text of a primitive value: of a decimal as it was read. */
export function primitiveText(value: unknown): string {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(1) : String(value);
}

/** Copies a value with numbers in place of marked decimals, for code that calculates. */
export function withPlainNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPlainNumbers);
  if (typeof value !== 'object' || value === null) return decimalNumber(value);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withPlainNumbers(child)]));
}

/** Returns the text of a decimal as it was read, such as `1.10`; undefined for any other value. */
export function decimalText(value: unknown): string | undefined {
  if (!isDecimal(value)) return undefined;
  return typeof value === 'string' ? value.slice(1) : String(value);
}

/** Returns a decimal as `parseFhirJson` gives it. @param text of a FHIR decimal, such as `1.10` */
export function decimalOf(text: string): number | string {
  const number = Number(text);
  return String(number) === text ? number : `${MARK}${text}`;
}
