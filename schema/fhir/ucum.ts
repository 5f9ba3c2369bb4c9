import { createRequire } from 'node:module';
import { memoized } from '../cache/bounded-cache.ts';

/** Units of UCUM, by the library that `fhirpath` uses too. */

/** System of UCUM units in a Quantity. */
export const UCUM = 'http://unitsofmeasure.org';

/** The part of @lhncbc/ucum-lhc that is used; the package has no types. */
interface Ucum {
  convertUnitTo(from: string, value: number, to: string): { status: string; toVal: number | null };
  validateUnitString(unit: string): { status: string };
}

/** Longest unit that is read: a longer text is no unit, and its parser would have much to do. */
export const LONGEST_UNIT = 60;
/** Printable characters without spaces. */
const PRINTABLE = /^[!-~]+$/;
/** Units in brackets, such as `[arb'U]`: values in some of them cannot be converted, not even to the same unit. */
const IN_BRACKETS = /\[[^\]]*\]/g;

const require = createRequire(import.meta.url);

/** Returns the library, which loads its tables at first use: they take some 40 ms. */
function ucum(): Ucum {
  return (
    require('@lhncbc/ucum-lhc') as { UcumLhcUtils: { getInstance(): Ucum } }
  ).UcumLhcUtils.getInstance();
}

/** Returns true for a unit that UCUM knows. */
export const isUcum = (unit: string): boolean => mayBeUnit(unit) && isKnown(unit);

const mayBeUnit = (text: string): boolean => text.length <= LONGEST_UNIT && PRINTABLE.test(text);

const isKnown = memoized(
  (unit): boolean => {
    if (convertUnit(1, unit, unit) !== undefined) return true;
    const plain = unit.replaceAll(IN_BRACKETS, '1');
    // The validator alone accepts names such as `constructor`.
    return (
      plain !== unit &&
      convertUnit(1, plain, plain) !== undefined &&
      withoutError((library) => library.validateUnitString(unit).status) === 'valid'
    );
  },
  { entries: 1_000 },
);

/** Converts a number; undefined for units that do not convert, and texts that are no units. */
export function convertUnit(value: number, from: string, to: string): number | undefined {
  if (!mayBeUnit(from) || !mayBeUnit(to)) return undefined;
  const result = withoutError((library) => library.convertUnitTo(from, value, to));
  const number = result?.status === 'succeeded' ? result.toVal : null;
  return number !== null && Number.isFinite(number) ? number : undefined;
}

/** The library throws for some texts that are no units, such as `constructor`. That it is not there is an error. */
function withoutError<T>(ask: (library: Ucum) => T): T | undefined {
  const library = ucum();
  try {
    return ask(library);
  } catch {
    return undefined;
  }
}
