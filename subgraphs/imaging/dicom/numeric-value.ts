/**
 * Numeric Value (0040,A30A) of structured reports. Its zeros say how exact it is: 5.0 is not 5 (FHIR R4 §2.24.0.1). A
 * JavaScript number has none, so in a data set such a value is text; in the JSON of metadata it is the number `5.0`.
 */
export const NUMERIC_VALUE = '0040A30A';

/** Longest decimal string that is read. Real ones have 16 characters. */
const LONGEST = 64;
/** Parts of a decimal string (PS3.5 §6.2). */
const DECIMAL = /^ *([+-]?)0*(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))? *$/;

/**
 * Returns a decimal string as a decimal of JSON and FHIR, with its zeros: `5.0` for `+05.0`. Undefined for other text, and
 * for a number that is too large for JavaScript.
 */
export function decimalText(written: string): string | undefined {
  const [, sign, whole = '', fraction = '', exponent] =
    (written.length <= LONGEST && DECIMAL.exec(written)) || [];
  if (sign === undefined || !/^[ +-]*\.?\d/.test(written)) return undefined;
  const digits = `${whole || '0'}${fraction && `.${fraction}`}`;
  const exact = `${sign === '-' ? '-' : ''}${digits}${exponent === undefined ? '' : `e${exponent}`}`;
  return Number.isFinite(Number(exact)) ? exact : undefined;
}

/** Returns a decimal string as text if a number would lose its zeros; undefined otherwise. */
export function textWithZeros(written: string): string | undefined {
  const exact = decimalText(written);
  return exact === undefined || String(Number(exact)) === exact ? undefined : exact;
}

/**
 * A Numeric Value in JSON. Quotes in texts are escaped, so that it matches attributes only. Texts with brackets or escapes
 * are no numbers; without them, the time is linear.
 */
const IN_JSON =
  /"0040A30A"\s*:\s*\{\s*"vr"\s*:\s*"DS"\s*,\s*"Value"\s*:\s*\[(?:[^[\]{}"]|"[^"\\[\]{}]*")*\]/gi;
const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const QUOTED = new RegExp(`"(${NUMBER})"(?=\\s*[,\\]])`, 'g');
const TEXT_OR_NUMBER = new RegExp(`"[^"]*"|${NUMBER}`, 'g');

/** Writes the values that are text as numbers. @param json of data sets */
export function withNumericValues(json: string): string {
  return json.replace(IN_JSON, (attribute) => attribute.replace(QUOTED, '$1'));
}

/** Writes the values that are numbers as text, so that a parser keeps their zeros. @param json of data sets */
export function withNumericTexts(json: string): string {
  return json.replace(IN_JSON, (attribute) => {
    const start = attribute.indexOf('[');
    const values = attribute
      .slice(start)
      .replace(TEXT_OR_NUMBER, (one) => (one.startsWith('"') ? one : `"${one}"`));
    return attribute.slice(0, start) + values;
  });
}
