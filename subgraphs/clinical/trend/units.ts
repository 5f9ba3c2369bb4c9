import { decimalOf, decimalText } from '../../../schema/fhir/decimal.ts';
import { convertUnit, LONGEST_UNIT } from '../../../schema/fhir/ucum.ts';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';

/** Units that differ only in an annotation count as the same for UCUM: a `{score}` would be converted to a `%`. */
const ONLY_ANNOTATION = /^\{[^{}]*\}$/;
/** A value far from 1, to see if a conversion is linear. */
const MANY = 1_000;
/** Digits to which a computed value is exact: it is rounded to them before it is rounded to its precision. */
const EXACT_DIGITS = 12;

type Conversion = (value: number) => number | undefined;

/** By both units; undefined for units that do not convert. */
const conversions = boundedCache<{ convert: Conversion | undefined }>({ entries: 1_000 });

/** Returns true if values of a unit can be converted to another one: both measure the same kind of quantity. */
export function isConvertible(from: string, to: string): boolean {
  return from === to || conversionOf(from, to) !== undefined;
}

/**
 * Converts a decimal to another UCUM unit. The result has as many significant digits as the original: 150 [lb_av] is 68.0 kg.
 * @param value as `parseFhirJson` gives it
 * @returns undefined if `isConvertible` is false, or the value is no decimal
 */
export function converted(value: number | string, from: string, to: string): number | string | undefined {
  if (from === to) return value;
  const text = decimalText(value);
  const result = text === undefined ? undefined : conversionOf(from, to)?.(Number(text));
  return result === undefined ? undefined : decimalOf(rounded(result, significantDigits(text!)));
}

function conversionOf(from: string, to: string): Conversion | undefined {
  if (from.length > LONGEST_UNIT || to.length > LONGEST_UNIT) return undefined;
  const key = `${from} ${to}`;
  let known = conversions.get(key);
  if (!known) conversions.set(key, (known = { convert: conversion(from, to) }));
  return known.convert;
}

/** Asks the library for three values. If they lie on a line, as nearly always, it need not be asked for each value. */
function conversion(from: string, to: string): Conversion | undefined {
  if (ONLY_ANNOTATION.test(from) || ONLY_ANNOTATION.test(to)) return undefined;
  const convert: Conversion = (value) => convertUnit(value, from, to);
  const [zero, one, many] = [convert(0), convert(1), convert(MANY)];
  if (one === undefined || many === undefined) return undefined;
  if (zero === undefined) return convert;
  const factor = one - zero;
  const isLine = Math.abs(zero + factor * MANY - many) <= 1e-12 * Math.max(Math.abs(many), Math.abs(zero));
  return isLine ? (value) => zero + value * factor : convert;
}

/** Counts the significant digits of a decimal: 3 in `0.0120`, and in `150`, where zeros count. */
function significantDigits(text: string): number {
  const digits = text.replace(/^-?[0.]+|^-|\.|[eE].*$/g, '');
  return Math.min(Math.max(digits.length, 1), EXACT_DIGITS);
}

/** Writes a number with significant digits, without an exponent. */
function rounded(value: number, digits: number): string {
  const exact = Number(value.toPrecision(EXACT_DIGITS));
  const short = Number(exact.toPrecision(digits));
  const exponent = short === 0 ? 0 : Math.floor(Math.log10(Math.abs(short)));
  return short.toFixed(Math.min(Math.max(digits - 1 - exponent, 0), 30));
}
