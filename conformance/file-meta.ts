/** The File Meta Information of a DICOM object that the checks use, PS3.10 §7.1. */
export interface FileMeta {
  /** Media Storage SOP Instance UID. */
  instanceUid?: string;
  transferSyntax?: string;
}

/** Value representations with a length of four bytes, PS3.5 §7.1.2. */
const LONG_LENGTH = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'OV', 'SQ', 'UC', 'UN', 'UR', 'UT', 'SV', 'UV']);

/**
 * Reads the File Meta Information.
 * @param head the first bytes of the object
 * @returns undefined if it is not a DICOM object
 */
export function readFileMeta(head: Buffer): FileMeta | undefined {
  if (head.length < 132 || head.toString('latin1', 128, 132) !== 'DICM') return undefined;
  const meta: FileMeta = {};
  let at = 132;
  while (at + 8 <= head.length && head.readUInt16LE(at) === 0x0002) {
    const element = head.readUInt16LE(at + 2);
    const long = LONG_LENGTH.has(head.toString('latin1', at + 4, at + 6));
    if (long && at + 12 > head.length) break;
    const start = at + (long ? 12 : 8);
    const length = long ? head.readUInt32LE(at + 8) : head.readUInt16LE(at + 6);
    const value = () => head.toString('latin1', start, start + length).replace(/[\0 ]+$/, '');
    if (element === 0x0003) meta.instanceUid = value();
    if (element === 0x0010) meta.transferSyntax = value();
    at = start + length;
  }
  return meta;
}
