import dimse from 'dcmjs-dimse';
import { TransferSyntax, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { vrOf } from '../../../../schema/dicom/dictionary.ts';
import { Bytes } from '../../dicom/part10/bytes.ts';
import { readDataset } from '../../dicom/part10/dataset.ts';
import { dicomJson } from '../../dicom/part10/json.ts';

/** Data sets of queries and answers, PS3.7 §9.1.2. They are written and read here so that no character is lost. */

export const IMPLICIT_LITTLE_ENDIAN = TransferSyntax.ImplicitVRLittleEndian;

/** Decodes any data set without pixels, in an uncompressed transfer syntax. */
export function decodeDataset(bytes: Buffer, transferSyntax: string): DicomJson {
  const encoding = {
    explicitVr: transferSyntax !== TransferSyntax.ImplicitVRLittleEndian,
    littleEndian: transferSyntax !== TransferSyntax.ExplicitVRBigEndian,
  };
  const source = new Bytes(bytes);
  return dicomJson(source, readDataset(source, { start: 0, end: bytes.length }, encoding), encoding);
}

/** Tag → encoded value. An empty value requests the attribute, PS3.4 §C.2.2.2.3. */
export type IdentifierKeys = ReadonlyMap<string, string>;

/** The identifier of a request in implicit VR little endian, with text in UTF-8. */
export class Identifier extends dimse.Dataset {
  readonly #bytes: Buffer;

  constructor(keys: IdentifierKeys) {
    super({}, IMPLICIT_LITTLE_ENDIAN);
    this.#bytes = Buffer.concat([...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(element));
  }

  override getDenaturalizedDataset(): Buffer {
    return this.#bytes;
  }
}

function element([tag, value]: readonly [string, string]): Buffer {
  const text = Buffer.from(value, 'utf8');
  const header = Buffer.alloc(8);
  header.writeUInt16LE(parseInt(tag.slice(0, 4), 16), 0);
  header.writeUInt16LE(parseInt(tag.slice(4), 16), 2);
  header.writeUInt32LE(text.length + (text.length & 1), 4);
  // UIDs are padded with NUL, other values with a space, PS3.5 §6.2.
  const pad = Buffer.from(vrOf(tag) === 'UI' ? '\0' : ' ');
  return Buffer.concat(text.length & 1 ? [header, text, pad] : [header, text]);
}
