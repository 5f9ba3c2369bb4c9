/** Decoding of text by Specific Character Set, PS3.3 §C.12.1.1.2 and PS3.5 §6.1. */

/** Decodes the bytes of a value, or of a component of it. */
type Decode = (bytes: Buffer) => string;

const decoder = (label: string): Decode => {
  const instance = new TextDecoder(label);
  return (bytes) => instance.decode(bytes);
};
// The WHATWG label iso-8859-1 means windows-1252; DICOM means ISO 8859-1.
const latin1: Decode = (bytes) => bytes.toString('latin1');
const eucJp = decoder('euc-jp');
const high = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte | 0x80));

/** Character sets without code extensions, by defined term, except UTF-8, GB18030 and GBK. */
const SINGLE: Record<string, Decode> = {
  '': latin1,
  'ISO_IR 6': latin1,
  'ISO_IR 100': latin1,
  'ISO_IR 101': decoder('iso-8859-2'),
  'ISO_IR 109': decoder('iso-8859-3'),
  'ISO_IR 110': decoder('iso-8859-4'),
  'ISO_IR 144': decoder('iso-8859-5'),
  'ISO_IR 127': decoder('iso-8859-6'),
  'ISO_IR 126': decoder('iso-8859-7'),
  'ISO_IR 138': decoder('iso-8859-8'),
  'ISO_IR 148': decoder('iso-8859-9'),
  'ISO_IR 203': decoder('iso-8859-15'),
  'ISO_IR 166': decoder('windows-874'),
  'ISO_IR 13': decoder('shift_jis'),
};
const WHOLE: Record<string, Decode> = {
  'ISO_IR 192': decoder('utf-8'),
  GB18030: decoder('gb18030'),
  GBK: decoder('gbk'),
};

/** One designated set of ISO 2022: bytes of a character, and the decoder of a run of characters. */
interface Designated {
  bytes: 1 | 2;
  decode: Decode;
}
const ASCII: Designated = { bytes: 1, decode: latin1 };
const one = (term: string): Designated => ({ bytes: 1, decode: SINGLE[term]! });

/** Bytes after ESC → the half that they designate, and its set; PS3.3 tables C.12-3 and C.12-4. */
const ESCAPES: Record<string, { half: 'g0' | 'g1'; set: Designated }> = {
  '(B': { half: 'g0', set: ASCII },
  '(J': { half: 'g0', set: ASCII },
  ')I': { half: 'g1', set: one('ISO_IR 13') },
  '-A': { half: 'g1', set: one('ISO_IR 100') },
  '-B': { half: 'g1', set: one('ISO_IR 101') },
  '-C': { half: 'g1', set: one('ISO_IR 109') },
  '-D': { half: 'g1', set: one('ISO_IR 110') },
  '-F': { half: 'g1', set: one('ISO_IR 126') },
  '-G': { half: 'g1', set: one('ISO_IR 127') },
  '-H': { half: 'g1', set: one('ISO_IR 138') },
  '-L': { half: 'g1', set: one('ISO_IR 144') },
  '-M': { half: 'g1', set: one('ISO_IR 148') },
  '-T': { half: 'g1', set: one('ISO_IR 166') },
  '-b': { half: 'g1', set: one('ISO_IR 203') },
  $B: { half: 'g0', set: { bytes: 2, decode: (run) => eucJp(high(run)) } },
  '$(D': { half: 'g0', set: { bytes: 2, decode: (run) => eucJp(threeByte(run)) } },
  '$)C': { half: 'g1', set: { bytes: 2, decode: decoder('euc-kr') } },
  '$)A': { half: 'g1', set: { bytes: 2, decode: decoder('gbk') } },
};

const utf8Strict = new TextDecoder('utf-8', { fatal: true });

/**
 * Returns a decoder for the values of one data set.
 * @param specificCharacterSet values of (0008,0005); none for the default repertoire
 * @returns a function of the bytes and of whether they are a person name, where `^` and `=` end an escape sequence
 */
export function textDecoder(
  specificCharacterSet: readonly string[],
): (bytes: Buffer, personName?: boolean) => string {
  const terms = specificCharacterSet.map((term) => term.trim());
  const first = terms[0] ?? '';
  // Own properties only, because the term comes from the file.
  const whole = Object.hasOwn(WHOLE, first) ? WHOLE[first] : undefined;
  if (whole) return whole;
  const plain = first.replace(/^ISO 2022 /, 'ISO_').replace(/^ISO-?IR /, 'ISO_IR ');
  const initial = Object.hasOwn(SINGLE, plain) ? SINGLE[plain] : undefined;
  const unnamed = initial === undefined || first === '' || /IR 6$/.test(first);
  const g1: Designated | undefined = unnamed ? undefined : { bytes: 1, decode: initial };
  return (bytes, personName = false) => {
    if (isAscii(bytes) && !bytes.includes(0x1b)) return bytes.toString('latin1');
    return bytes.includes(0x1b) ? iso2022(bytes, g1, personName) : (g1?.decode ?? undeclared)(bytes);
  };
}

/** Decodes bytes above 127 without a declared character set: as UTF-8 if they are valid, else as Latin-1. */
function undeclared(bytes: Buffer): string {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    return latin1(bytes);
  }
}

function iso2022(bytes: Buffer, initial: Designated | undefined, personName: boolean): string {
  let g0 = ASCII;
  let g1 = initial;
  let result = '';
  let position = 0;
  while (position < bytes.length) {
    const byte = bytes[position]!;
    if (byte === 0x1b) {
      const name = [2, 3]
        .map((n) => bytes.toString('latin1', position + 1, position + 1 + n))
        .find((n) => Object.hasOwn(ESCAPES, n));
      if (name) {
        const { half, set } = ESCAPES[name]!;
        if (half === 'g0') g0 = set;
        else g1 = set;
      }
      position += 1 + (name?.length ?? 0);
      continue;
    }
    // PS3.5 §6.1.2.5.3: control characters and delimiters restore the initial sets.
    const delimiter = g0.bytes === 1 && (byte === 0x5c || (personName && (byte === 0x5e || byte === 0x3d)));
    if (byte < 0x20 || delimiter) {
      g0 = ASCII;
      g1 = initial;
      result += String.fromCharCode(byte);
      position += 1;
      continue;
    }
    let end = position + 1;
    if (byte >= 0x80) {
      while (end < bytes.length && bytes[end]! >= 0x80) end++;
      result += (g1?.decode ?? undeclared)(bytes.subarray(position, end));
    } else if (g0.bytes === 2) {
      while (end < bytes.length && bytes[end]! >= 0x20 && bytes[end]! < 0x80) end++;
      result += g0.decode(bytes.subarray(position, end));
    } else {
      result += String.fromCharCode(byte);
    }
    position = end;
  }
  return result;
}

/** Converts JIS X 0212 to EUC-JP, with 8F before each pair. */
function threeByte(run: Buffer): Buffer {
  const out: number[] = [];
  for (let i = 0; i + 1 < run.length; i += 2) out.push(0x8f, run[i]! | 0x80, run[i + 1]! | 0x80);
  return Buffer.from(out);
}

function isAscii(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}
