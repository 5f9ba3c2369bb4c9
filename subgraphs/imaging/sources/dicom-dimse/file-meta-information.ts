import dimse from 'dcmjs-dimse';
import type { StoreRequest } from './wire/messages.ts';

const { Implementation } = dimse;

/** Returns preamble and File Meta Information, PS3.10 §7.1, to store a data set from C-STORE as a file. */
export function fileMetaInformation({ sopClassUid, sopInstanceUid, transferSyntax }: StoreRequest): Buffer {
  const group = Buffer.concat([
    // PS3.10 table 7.1-1: version 1, two bytes of OB.
    Buffer.from([0x02, 0x00, 0x01, 0x00, 0x4f, 0x42, 0, 0, 2, 0, 0, 0, 0x00, 0x01]),
    element(0x0002, 'UI', sopClassUid),
    element(0x0003, 'UI', sopInstanceUid),
    element(0x0010, 'UI', transferSyntax),
    element(0x0012, 'UI', Implementation.getImplementationClassUid()),
  ]);
  const length = Buffer.from([0x02, 0x00, 0x00, 0x00, 0x55, 0x4c, 4, 0, 0, 0, 0, 0]);
  length.writeUInt32LE(group.length, 8);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), length, group]);
}

function element(number: number, vr: string, value: string): Buffer {
  const bytes = Buffer.from(value.length & 1 ? `${value}\0` : value, 'latin1');
  const header = Buffer.from([0x02, 0x00, 0, 0, 0, 0, 0, 0]);
  header.writeUInt16LE(number, 2);
  header.write(vr, 4, 'latin1');
  header.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([header, bytes]);
}
