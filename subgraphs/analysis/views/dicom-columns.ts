import { text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { hasSeveralValues, tagOf, vrOf } from '../../../schema/dicom/dictionary.ts';
import type { SqlType, TableColumn } from './column-types.ts';
import type { Values } from './values.ts';

/** A column of `imaging_instance` that a tenant has asked for: an attribute of each object. */
export interface DicomColumn extends TableColumn {
  /** Eight upper-case hex digits. */
  tag: string;
}

/** Types of SQL for values of VRs that are no texts (PS3.5 §6.2). */
const SQL_TYPES: Readonly<Record<string, SqlType>> = {
  DA: 'DATE',
  DS: 'DOUBLE',
  FD: 'DOUBLE',
  FL: 'DOUBLE',
  IS: 'BIGINT',
  SL: 'BIGINT',
  SS: 'BIGINT',
  SV: 'BIGINT',
  UL: 'BIGINT',
  US: 'BIGINT',
  UV: 'BIGINT',
};

/**
 * Returns a column for each keyword of `analysis.dicom`, named by it. A column of an attribute that may have several values
 * (PS3.6, column VM) is a list.
 */
export function dicomColumns(keywords: readonly string[]): DicomColumn[] {
  return keywords.map((name) => {
    const tag = tagOf(name)!;
    const sqlType = SQL_TYPES[vrOf(tag)!] ?? 'VARCHAR';
    const description = `(${tag.slice(0, 4)},${tag.slice(4)}) of the object`;
    return { name, tag, sqlType, collection: hasSeveralValues(tag), description };
  });
}

/**
 * Returns the value of an attribute, as `TableRows` takes it; undefined for one that is absent, or has a value of another type
 * than its VR: one damaged file must not end a build.
 */
export function dicomValue({ tag, sqlType, collection }: DicomColumn, attributes: DicomJson): Values {
  const values = (attributes[tag]?.Value ?? []).map((_, at) => valueOf(sqlType, textAt(attributes, tag, at)));
  if (values.length === 0 || values.includes(undefined)) return undefined;
  return collection ? values : values[0];
}

/** Returns the text of one of several values; undefined for none. */
const textAt = (attributes: DicomJson, tag: string, at: number): string | undefined =>
  text({ [tag]: { Value: [attributes[tag]!.Value![at]] } }, tag);

function valueOf(sqlType: SqlType, value: string | undefined): string | number | undefined {
  if (value === undefined || sqlType === 'VARCHAR') return value;
  // PS3.5 §6.2, and the form of ACR-NEMA, which its note allows to read: 2019.05.01.
  if (sqlType === 'DATE') return /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(value)?.slice(1).join('-');
  const number = value.trim() === '' ? NaN : Number(value);
  const isRight = sqlType === 'BIGINT' ? Number.isSafeInteger(number) : Number.isFinite(number);
  return isRight ? number : undefined;
}
