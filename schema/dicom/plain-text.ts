/**
 * Removes padding, control characters and lone surrogates from a DICOM value, and makes white space single spaces: real
 * files have padding of spaces and nulls, and rests of escape sequences. Undefined when nothing is left.
 */
export function plainText(value: string | undefined): string | undefined {
  const clean = (value ?? '')
    .replace(/\s+/gu, ' ')
    .replace(/[\p{Cc}\p{Cs}]/gu, '')
    .trim();
  return clean || undefined;
}
