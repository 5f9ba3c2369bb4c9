import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** Frame header of a JPEG or JPEG-LS stream, ISO 10918-1 §B.2.2, with its colour segments. */
export interface FrameHeader {
  /** Low byte of the SOF marker: C0 to C3 of JPEG, F7 of JPEG-LS. */
  process: number;
  precision: number;
  rows: number;
  columns: number;
  samplesPerPixel: number;
  /** True if a component has fewer samples than another. */
  subsampled: boolean;
  /** Colour transform of Adobe's APP14 segment: 0 none, 1 YCbCr, 2 YCCK. */
  adobeTransform?: number;
  /** Positions of APP0 and APP14, from which decoders take the colours. */
  colourSegments: { start: number; end: number }[];
}

const SOI = 0xd8;
const SOS = 0xda;
const EOI = 0xd9;

/**
 * Reads the headers before the first scan.
 * @throws {DamagedFile} when there is no frame header
 */
export function readFrameHeader(encoded: Uint8Array): FrameHeader {
  const stream = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  if (stream.length < 4 || stream[0] !== 0xff || stream[1] !== SOI)
    throw new DamagedFile('The frame is no JPEG stream.');
  const colourSegments: FrameHeader['colourSegments'] = [];
  let adobeTransform: number | undefined;
  let frame: Omit<FrameHeader, 'colourSegments'> | undefined;
  for (let at = 2; at + 4 <= stream.length;) {
    const marker = stream[at + 1]!;
    if (stream[at] !== 0xff) break;
    // Any number of FF may precede a marker, §B.1.1.2.
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === SOS || marker === EOI) {
      if (!frame) break;
      return { ...frame, adobeTransform, colourSegments };
    }
    const end = at + 2 + stream.readUInt16BE(at + 2);
    if (end > stream.length || end < at + 4) break;
    const body = stream.subarray(at + 4, end);
    if (isFrame(marker)) {
      if (frame) throw new DamagedFile('The JPEG stream holds more than one frame.');
      frame = frameOf(marker, body);
    }
    if (marker === 0xee && body.length >= 12 && body.toString('latin1', 0, 5) === 'Adobe')
      adobeTransform = body[11];
    if (marker === 0xe0 || marker === 0xee) colourSegments.push({ start: at, end });
    at = end;
  }
  throw new DamagedFile('The headers of the JPEG stream are damaged or cut short.');
}

/** Tells whether a marker is SOF0 to SOF15, without C4, C8 and CC, which are other markers, or SOF55 of JPEG-LS. */
function isFrame(marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
}

function frameOf(process: number, body: Buffer): Omit<FrameHeader, 'colourSegments'> {
  const samplesPerPixel = body[5] ?? 0;
  if (body.length < 6 + 3 * samplesPerPixel || samplesPerPixel === 0)
    throw new DamagedFile('The frame header of the JPEG stream is damaged.');
  const factors = Array.from({ length: samplesPerPixel }, (_, i) => body[7 + 3 * i]!);
  return {
    process,
    precision: body[0]!,
    rows: body.readUInt16BE(1),
    columns: body.readUInt16BE(3),
    samplesPerPixel,
    subsampled: factors.some((factor) => factor !== factors[0]),
  };
}
