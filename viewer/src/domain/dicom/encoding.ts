/** Encoding of values in files (PS3.5 §6.2, §7.1.2). */

export const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** Tags of items and of what ends them (PS3.5 §7.5). */
export const ITEM = 'FFFEE000';
export const ITEM_END = 'FFFEE00D';
export const SEQUENCE_END = 'FFFEE0DD';

const setOf = (names: string): ReadonlySet<string> => new Set(names.split(' '));

/** Their length has four bytes, after two that are reserved. */
export const LONG_HEADER = setOf('OB OD OF OL OV OW SQ SV UC UN UR UT UV');
export const BINARY = setOf('OB OD OF OL OV OW UN');
export const TEXTS = setOf('AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT');
/** A backslash is one of their characters. */
export const ONE_TEXT = setOf('LT ST UR UT');

interface NumberFormat {
  /** Bytes. */
  size: number;
  set(view: DataView, at: number, value: number): void;
  get(view: DataView, at: number): number;
}

/** Numbers of 64 bits are read as far as a number of JavaScript goes. */
export const NUMBERS: Readonly<Record<string, NumberFormat>> = {
  FD: {
    size: 8,
    set: (view, at, value) => view.setFloat64(at, value, true),
    get: (view, at) => view.getFloat64(at, true),
  },
  FL: {
    size: 4,
    set: (view, at, value) => view.setFloat32(at, value, true),
    get: (view, at) => view.getFloat32(at, true),
  },
  SL: {
    size: 4,
    set: (view, at, value) => view.setInt32(at, value, true),
    get: (view, at) => view.getInt32(at, true),
  },
  SS: {
    size: 2,
    set: (view, at, value) => view.setInt16(at, value, true),
    get: (view, at) => view.getInt16(at, true),
  },
  SV: {
    size: 8,
    set: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
    get: (view, at) => Number(view.getBigInt64(at, true)),
  },
  UL: {
    size: 4,
    set: (view, at, value) => view.setUint32(at, value, true),
    get: (view, at) => view.getUint32(at, true),
  },
  US: {
    size: 2,
    set: (view, at, value) => view.setUint16(at, value, true),
    get: (view, at) => view.getUint16(at, true),
  },
  UV: {
    size: 8,
    set: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
    get: (view, at) => Number(view.getBigUint64(at, true)),
  },
};
