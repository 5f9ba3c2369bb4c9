/** Transfer syntaxes of frames, and their media types (PS3.18 §8.7.3.3.2). */

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** Those that the decoders of the viewer know, best first: their media type in multipart answers. */
const DECODABLE: readonly (readonly [mediaType: string, transferSyntaxes: readonly string[]])[] = [
  ['image/jphc', ['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203']],
  ['image/jls', ['1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.4.81']],
  ['image/jp2', ['1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91']],
  [
    'image/jpeg',
    ['1.2.840.10008.1.2.4.70', '1.2.840.10008.1.2.4.57', '1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.51'],
  ],
  ['image/dicom-rle', ['1.2.840.10008.1.2.5']],
  ['application/octet-stream', [EXPLICIT_LITTLE_ENDIAN]],
];

/**
 * Returns the Accept header of a frame: as stored, so that nobody transcodes without need; what servers that do not know
 * `*` have is named after it.
 * @param preferred Transfer Syntax UID, one of `DECODABLE`, to which the server shall transcode if it can
 */
export function acceptFrames(preferred?: string): string {
  const type = DECODABLE.find(([, uids]) => preferred !== undefined && uids.includes(preferred))?.[0];
  const first = preferred !== undefined && type !== undefined ? [range(type, preferred)] : [];
  const others = DECODABLE.flatMap(([type, uids]) => uids.map((uid) => `${range(type, uid)};q=0.5`));
  return [...first, `${range('application/octet-stream', '*')};q=0.9`, ...others].join(', ');
}

const range = (type: string, uid: string): string =>
  `multipart/related; type="${type}"; transfer-syntax=${uid}`;

/** The meaning of a media type without a transfer syntax (PS3.18 Table 8.7.3-4 and 8.7.3-5), older names included. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'application/octet-stream': EXPLICIT_LITTLE_ENDIAN,
  'image/jpeg': '1.2.840.10008.1.2.4.70',
  'image/jls': '1.2.840.10008.1.2.4.80',
  'image/x-jls': '1.2.840.10008.1.2.4.80',
  'image/jp2': '1.2.840.10008.1.2.4.90',
  'image/j2c': '1.2.840.10008.1.2.4.90',
  'image/jphc': '1.2.840.10008.1.2.4.203',
  'image/dicom-rle': '1.2.840.10008.1.2.5',
  'image/x-dicom-rle': '1.2.840.10008.1.2.5',
};

/** Start of frame markers of JPEG (ITU-T T.81 Table B.1), and the transfer syntaxes of these processes. */
const PROCESSES: Readonly<Record<number, string>> = {
  0xc0: '1.2.840.10008.1.2.4.50',
  0xc1: '1.2.840.10008.1.2.4.51',
  0xc3: '1.2.840.10008.1.2.4.70',
};

/**
 * Returns the transfer syntax of a frame whose server does not say it; undefined for a media type that is no frame. Servers
 * call every JPEG image/jpeg: its process is read.
 */
export function transferSyntaxOf(mediaType: string, bytes: Uint8Array): string | undefined {
  const process = mediaType === 'image/jpeg' ? jpegProcess(bytes) : undefined;
  return (process === undefined ? undefined : PROCESSES[process]) ?? DEFAULTS[mediaType];
}

/** Returns the start of frame marker of a JPEG: 0xc0 to 0xcf apart from tables. */
function jpegProcess(bytes: Uint8Array): number | undefined {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return marker;
    at += 2 + (bytes[at + 2]! << 8) + bytes[at + 3]!;
  }
  return undefined;
}
