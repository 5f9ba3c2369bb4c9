/** Metadata of one DICOM instance: the DICOM JSON model (PS3.18 §F.2), and typed reads of it. */

export interface Attribute {
  vr: string;
  Value?: readonly unknown[];
  InlineBinary?: string;
  BulkDataURI?: string;
}

/** By tag: eight hexadecimal digits in capitals. */
export type Instance = Readonly<Record<string, Attribute>>;

/** Returns the first value as text; undefined if it is empty. Person names give their alphabetic form. */
export function text(instance: Instance, tag: string): string | undefined {
  const value = instance[tag]?.Value?.[0];
  if (typeof value === 'object' && value !== null) return (value as { Alphabetic?: string }).Alphabetic;
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

/** Returns the first value as a number; undefined if it is none. */
export function number(instance: Instance, tag: string): number | undefined {
  const value = text(instance, tag);
  const parsed = value === undefined ? NaN : Number(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

/** Returns the first value as a number above zero; undefined if it is none. */
export function positive(instance: Instance, tag: string): number | undefined {
  const value = number(instance, tag);
  return value !== undefined && value > 0 ? value : undefined;
}

/** Returns all values as numbers; undefined unless there are `count` and all are numbers. */
export function numbers(instance: Instance, tag: string, count: number): number[] | undefined {
  const values = (instance[tag]?.Value ?? []).map(Number);
  return values.length === count && values.every(Number.isFinite) ? values : undefined;
}

/** Returns the SOP Instance UID; empty if there is none. */
export function instanceUid(instance: Instance): string {
  return text(instance, '00080018') ?? '';
}
