/** Writes MPEG transport streams (ISO/IEC 13818-1), as small as a reader needs them. */

/** What one packet of an elementary stream carries, with its times in 1/90,000 s. */
export interface Access {
  bytes: Uint8Array;
  shown: number;
  decoded: number;
}

const VIDEO = 0x100;
const MAP = 0x1000;

/** @param types of the streams of the programme (table 2-34); the first one is the video */
export function transportStream(video: readonly Access[], types: readonly number[] = [0x1b]): Uint8Array {
  const streams = types.flatMap((type, nth) => [type, 0xe0 | (VIDEO >> 8), (VIDEO & 0xff) + nth, 0xf0, 0]);
  const association = section(0, [0, 1, 0xe0 | (MAP >> 8), MAP & 0xff]);
  const map = section(2, [0xe0 | (VIDEO >> 8), VIDEO & 0xff, 0xf0, 0, ...streams]);
  const packets = [
    ...packetsOf(0, association),
    ...packetsOf(MAP, map),
    ...video.flatMap((one) => packetsOf(VIDEO, pes(one))),
  ];
  return Uint8Array.from(packets);
}

function section(table: number, content: readonly number[]): number[] {
  const length = content.length + 9;
  // No pointer; programme 1, version 0, one section; a checksum that is not right.
  return [0, table, 0xb0 | (length >> 8), length & 0xff, 0, 1, 0xc1, 0, 0, ...content, 0, 0, 0, 0];
}

function pes({ bytes, shown, decoded }: Access): number[] {
  const stamp = (mark: number, time: number) => [
    (mark << 4) | (Math.floor(time / 2 ** 29) & 0x0e) | 1,
    Math.floor(time / 2 ** 22) & 0xff,
    (Math.floor(time / 2 ** 14) & 0xfe) | 1,
    Math.floor(time / 2 ** 7) & 0xff,
    ((time * 2) & 0xfe) | 1,
  ];
  return [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, ...stamp(3, shown), ...stamp(1, decoded), ...bytes];
}

/** Cuts a payload into packets; the last one is filled up before its payload. */
function packetsOf(pid: number, payload: readonly number[]): number[] {
  const packets: number[] = [];
  for (let at = 0; at < payload.length; at += 184) {
    const part = payload.slice(at, at + 184);
    const fill = 184 - part.length;
    packets.push(0x47, (at === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, fill > 0 ? 0x30 : 0x10);
    if (fill > 0) packets.push(fill - 1);
    if (fill > 1) packets.push(0, ...Array<number>(fill - 2).fill(0xff));
    packets.push(...part);
  }
  return packets;
}

/** Puts NAL units behind start codes. */
export function annexB(units: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(units.flatMap((unit) => [0, 0, 0, 1, ...unit]));
}
