/**
 * Decimals of FHIR keep their precision: 1.10 is not 1.1 (R4 §2.24.0.1). A JavaScript number cannot say that, so a
 * decimal that would change is carried as text behind a mark until it is written again.
 */

/** A private-use character: no FHIR text has a number behind it. */
const MARK = '\uE000';

/**
 * Tells at a glance whether a text may hold such a decimal: a trailing zero, an exponent, or many digits. Nothing that
 * repeats stands next to its like: a number of a million digits would be split between them in every possible way.
 */
const SUSPECT = /[:,[]\s*-?(?:\d+(?:\.\d*0|\.\d{13,}|(?:\.\d+)?[eE][+-]?\d+)|\d{14,}\.\d+)\s*[,}\]]/;
/** A string that does not end reaches to the end of the text, so that it is looked at once. */
const STRING_OR_DECIMAL = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses FHIR JSON; decimals that a number would change become marked strings. */
export function parseFhirJson(text: string): unknown {
  return JSON.parse(SUSPECT.test(text) ? text.replace(STRING_OR_DECIMAL, marked) : text);
}

function marked(token: string): string {
  // A number keeps neither a zero at its end nor its exponent (FG-4).
  const isDecimal = !token.startsWith('"') && /[.eE]/.test(token);
  return isDecimal && String(Number(token)) !== token ? `"${MARK}${token}"` : token;
}

/** Writes FHIR JSON with every decimal as it was read. */
export function writeFhirJson(value: unknown, space?: number): string {
  return withDecimals(JSON.stringify(value, undefined, space));
}

/** JSON that was written by others, of values with marked decimals: with the decimals as they were read. */
export function withDecimals(json: string): string {
  return json.includes(MARK) ? json.replace(/"\uE000(-?\d[\d.eE+-]*)"/g, '$1') : json;
}

/** The number nearest to a decimal that may be marked; anything else as it is. */
function decimalNumber(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? Number(value.slice(1)) : value;
}

/** A copy of a value with plain numbers in it, for engines that calculate. */
export function withPlainNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPlainNumbers);
  if (typeof value !== 'object' || value === null) return decimalNumber(value);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withPlainNumbers(child)]));
}
