/** H.264 in an MPEG transport stream (ISO/IEC 13818-1), which browsers do not play as it is. */
import { TIMESCALE, writeMp4, type Picture } from './mp4-writer.ts';

const PACKET = 188;
const SYNC = 0x47;
const H264 = 0x1b;
/** Types of streams that are videos (ISO/IEC 13818-1 table 2-34). */
const CODINGS: Readonly<Record<number, string>> = {
  0x01: 'MPEG-1',
  0x02: 'MPEG-2',
  0x10: 'MPEG-4',
  [H264]: 'H.264',
  0x24: 'H.265 (HEVC)',
};
/** Types of streams that are sound. */
const SOUNDS: ReadonlySet<number> = new Set([0x03, 0x04, 0x0f, 0x11, 0x81]);
/** NAL units of H.264 (ITU-T H.264 table 7-1). */
const NAL = { slice: 1, key: 5, sps: 7, pps: 8, delimiter: 9, filler: 12 } as const;
/** Times have 33 bits. */
const WRAPS = 2 ** 33;

/** The video of a transport stream. */
interface Transported {
  /** As people know it; undefined where the stream has no video. */
  coding?: string | undefined;
  /** True if it has a sound, which is left out. */
  sound: boolean;
  /** The same pictures as a file of MP4; undefined where they are not H.264, or none is whole. */
  mp4?: Uint8Array<ArrayBuffer> | undefined;
}

/** Reads the first video of a stream. */
export function readTransportStream(bytes: Uint8Array, size: { columns: number; rows: number }): Transported {
  const streams = streamsOf(bytes);
  const sound = streams.some(({ type }) => SOUNDS.has(type));
  const video = streams.find(({ type }) => CODINGS[type] !== undefined);
  const told = { coding: video && CODINGS[video.type], sound };
  if (video?.type !== H264) return told;
  const { pictures, sps, pps } = picturesOf(packetsOf(bytes, video.pid));
  if (!sps || !pps || pictures.length === 0) return told;
  return { ...told, mp4: writeMp4({ pictures, sps, pps, ...size }) };
}

/** Yields what packets of one stream carry. */
function* payloads(bytes: Uint8Array, wanted: number): Generator<{ begins: boolean; payload: Uint8Array }> {
  for (let at = 0; at + PACKET <= bytes.length; at += PACKET) {
    if (bytes[at] !== SYNC) continue;
    if (pidAt(bytes, at + 1) !== wanted || !(bytes[at + 3]! & 0x10)) continue;
    const filled = bytes[at + 3]! & 0x20 ? 1 + bytes[at + 4]! : 0;
    if (filled > PACKET - 4) continue;
    yield { begins: (bytes[at + 1]! & 0x40) !== 0, payload: bytes.subarray(at + 4 + filled, at + PACKET) };
  }
}

/** Returns the streams of the first programme, by its tables (§2.4.4). */
function streamsOf(bytes: Uint8Array): { pid: number; type: number }[] {
  const section = (pid: number) => {
    for (const { begins, payload } of payloads(bytes, pid))
      if (begins) return payload.subarray(1 + payload[0]!);
    return undefined;
  };
  const association = section(0);
  // Number 0 is the network, and no programme.
  const programme = association && [8, 12].find((at) => association[at]! + association[at + 1]! > 0);
  const map = programme && section(pidAt(association, programme + 2));
  if (!map) return [];
  const streams: { pid: number; type: number }[] = [];
  // A checksum is at the end.
  const end = Math.min(length12(map, 1) - 1, map.length);
  for (let at = 12 + length12(map, 10); at + 5 <= end; at += 5 + length12(map, at + 3))
    streams.push({ type: map[at]!, pid: pidAt(map, at + 1) });
  return streams;
}

/** Reads the number of a stream, of 13 bits. */
function pidAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x1f) << 8) | bytes[at + 1]!;
}

function length12(table: Uint8Array, at: number): number {
  return ((table[at]! & 0x0f) << 8) | table[at + 1]!;
}

interface Packet {
  shown: number;
  decoded: number;
  bytes: Uint8Array;
}

/** Puts the packets of the elementary stream together (§2.4.3.6). */
function packetsOf(bytes: Uint8Array, pid: number): Packet[] {
  const parts: Uint8Array[][] = [];
  for (const { begins, payload } of payloads(bytes, pid)) {
    if (begins) parts.push([payload]);
    else parts.at(-1)?.push(payload);
  }
  const packets: Packet[] = [];
  for (const chunks of parts) {
    const packet = joined(chunks);
    if (packet[2] !== 1 || packet.length < 9) continue;
    const content = packet.subarray(9 + packet[8]!);
    const [last, flags] = [packets.at(-1), packet[7]! >> 6];
    if (flags & 2) {
      const shown = stampAt(packet, 9, last?.shown);
      const decoded = flags === 3 ? stampAt(packet, 14, last?.decoded) : shown;
      packets.push({ shown, decoded, bytes: content });
      // Without a time it goes on with the one before, or within it.
    } else if (last) last.bytes = joined([last.bytes, content]);
  }
  // Where the file is cut, the end of the last one is missing, unless the next has begun. A single byte is no cut: it only
  // makes the length even (PS3.5 §A.4).
  const rest = bytes.subarray(bytes.length - (bytes.length % PACKET));
  const hasNext = rest.length > 2 && (rest[1]! & 0x40) !== 0 && pidAt(rest, 1) === pid;
  return rest.length > 1 && !hasNext ? packets.slice(0, -1) : packets;
}

/** Reads a time of 33 bits among its marks; of those with the same bits, the one that is nearest to the time before. */
function stampAt(packet: Uint8Array, at: number, before: number | undefined): number {
  const [a, b, c, d, e] = [0, 1, 2, 3, 4].map((nth) => packet[at + nth] ?? 0) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const stamp = (a & 0x0e) * 2 ** 29 + b * 2 ** 22 + (c & 0xfe) * 2 ** 14 + d * 2 ** 7 + (e >> 1);
  return before === undefined ? stamp : stamp + Math.round((before - stamp) / WRAPS) * WRAPS;
}

interface Open extends Picture {
  units: Uint8Array[];
}

/** Divides the stream into pictures. The first ones are left out that cannot be decoded alone. */
function picturesOf(packets: readonly Packet[]) {
  const pictures: Open[] = [];
  let sps: Uint8Array | undefined;
  let pps: Uint8Array | undefined;
  let open: Open | undefined;
  /** Units that belong to the next picture. */
  let before: Uint8Array[] = [];
  let usual = TIMESCALE / 25;
  for (const packet of packets) {
    let isTimed = true;
    for (const unit of unitsOf(packet.bytes)) {
      const type = unit[0]! & 0x1f;
      if (type === NAL.sps) sps ??= unit;
      if (type === NAL.pps) pps ??= unit;
      const isPicture = type === NAL.slice || type === NAL.key;
      if (!isPicture) {
        if (type !== NAL.delimiter && type !== NAL.filler) before.push(unit);
        continue;
      }
      const units = [...before, unit];
      before = [];
      // The first slice of a picture begins with its first macroblock: a one as its first bit.
      if (open && !(unit[1]! & 0x80)) {
        open.units.push(...units);
        continue;
      }
      const last = open;
      const { decoded, shown } =
        isTimed || !last ? packet : { decoded: last.decoded + usual, shown: last.shown + usual };
      if (last && decoded > last.decoded) usual = decoded - last.decoded;
      isTimed = false;
      open = { units, decoded, shown, isKey: type === NAL.key };
      if (open.isKey || pictures.length > 0) pictures.push(open);
    }
  }
  return { pictures, sps, pps };
}

/** Yields the NAL units between start codes (ITU-T H.264 annex B). */
function* unitsOf(bytes: Uint8Array): Generator<Uint8Array> {
  let from = -1;
  for (let at = bytes.indexOf(1, 2); at !== -1; at = bytes.indexOf(1, at + 1)) {
    if (bytes[at - 1] !== 0 || bytes[at - 2] !== 0) continue;
    if (from >= 0) yield withoutZeros(bytes.subarray(from, at - 2));
    from = at + 1;
  }
  if (from >= 0 && from < bytes.length) yield withoutZeros(bytes.subarray(from));
}

/** A unit never ends with a zero: these fill, or belong to the next start code. */
function withoutZeros(unit: Uint8Array): Uint8Array {
  let end = unit.length;
  while (end > 1 && unit[end - 1] === 0) end--;
  return unit.subarray(0, end);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
