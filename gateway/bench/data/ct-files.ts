/**
 * Files like those of a CT: about 120 elements before 512 KiB of pixels; by default 200 slices a series, two series a
 * study.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface CtShape {
  slices?: number;
  seriesPerStudy?: number;
  /** Rows and columns of each slice. */
  size?: number;
}

/** UIDs and PatientID of the files, all counted from 0. */
export const ctStudyUid = (study: number) => `1.2.826.0.1.3680043.9.7433.1.${study + 1}`;
export const ctSeriesUid = (study: number, series: number) => `${ctStudyUid(study)}.${series + 1}`;
export const ctInstanceUid = (study: number, series: number, slice: number) =>
  `${ctSeriesUid(study, series)}.${slice + 1}`;
export const ctPatientId = (study: number) => `PATIENT-${String(study).padStart(6, '0')}`;

/**
 * Writes `count` files below `directory`, one directory a series; the numbers of series go on from study to study.
 * Pixels are left as a hole: reading headers never touches them, and a hundred thousand files fit on any disk.
 */
export async function writeCtFiles(
  directory: string,
  count: number,
  { slices = 200, seriesPerStudy = 2, size = 512 }: CtShape = {},
): Promise<void> {
  for (let file = 0; file < count; file++) {
    const series = Math.floor(file / slices);
    const study = Math.floor(series / seriesPerStudy);
    const path = join(directory, `study-${study}`, `series-${series}`);
    if (file % slices === 0) {
      mkdirSync(path, { recursive: true });
      await nextTurn();
    }
    const bytes = header(study, series, file % slices, size);
    const fd = openSync(join(path, `${file % slices}.dcm`), 'w');
    writeSync(fd, bytes);
    ftruncateSync(fd, bytes.length + size * size * 2);
    closeSync(fd);
  }
}

/** Lists every file below a directory. */
export async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function header(study: number, series: number, slice: number, size: number): Buffer {
  const studyUid = ctStudyUid(study);
  const seriesUid = ctSeriesUid(study, series);
  const instanceUid = ctInstanceUid(study, series, slice);
  const CT = '1.2.840.10008.5.1.4.1.1.2';
  const meta = [
    element(0x0002, 0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 0x0002, 'UI', CT),
    element(0x0002, 0x0003, 'UI', instanceUid),
    element(0x0002, 0x0010, 'UI', '1.2.840.10008.1.2.1'),
    element(0x0002, 0x0012, 'UI', '1.2.826.0.1.3680043.9.7433.2'),
  ];
  const dataset = [
    element(0x0008, 0x0005, 'CS', 'ISO_IR 100'),
    element(0x0008, 0x0008, 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'),
    element(0x0008, 0x0016, 'UI', CT),
    element(0x0008, 0x0018, 'UI', instanceUid),
    ...[0x20, 0x21, 0x22, 0x23].map((tag) => element(0x0008, tag, 'DA', '20260114')),
    ...[0x30, 0x31, 0x32, 0x33].map((tag) => element(0x0008, tag, 'TM', '101530.250000')),
    element(0x0008, 0x0050, 'SH', `ACC${study}`),
    element(0x0008, 0x0060, 'CS', 'CT'),
    element(0x0008, 0x0090, 'PN', 'Referrer^Anne'),
    element(0x0008, 0x1030, 'LO', 'CT Thorax'),
    element(0x0008, 0x103e, 'LO', 'Lung 1.0'),
    ...privateBlock(0x0009, 12),
    element(0x0010, 0x0010, 'PN', `Phantom^Number ${study}`),
    element(0x0010, 0x0020, 'LO', ctPatientId(study)),
    element(0x0010, 0x0030, 'DA', '19600101'),
    element(0x0010, 0x0040, 'CS', 'O'),
    element(0x0018, 0x0015, 'CS', 'CHEST'),
    ...[0x50, 0x60, 0x88, 0x90].map((tag) => element(0x0018, tag, 'DS', '120.000')),
    ...privateBlock(0x0019, 24),
    element(0x0020, 0x000d, 'UI', studyUid),
    element(0x0020, 0x000e, 'UI', seriesUid),
    element(0x0020, 0x0010, 'SH', `${study}`),
    element(0x0020, 0x0011, 'IS', `${series + 1}`),
    element(0x0020, 0x0013, 'IS', `${slice + 1}`),
    element(0x0020, 0x0032, 'DS', `-250\\-250\\${slice}`),
    element(0x0020, 0x0037, 'DS', '1\\0\\0\\0\\1\\0'),
    ...privateBlock(0x0021, 24),
    element(0x0028, 0x0002, 'US', uint16(1)),
    element(0x0028, 0x0004, 'CS', 'MONOCHROME2'),
    element(0x0028, 0x0010, 'US', uint16(size)),
    element(0x0028, 0x0011, 'US', uint16(size)),
    element(0x0028, 0x0030, 'DS', '0.9765625\\0.9765625'),
    ...[0x0100, 0x0101].map((tag) => element(0x0028, tag, 'US', uint16(16))),
    element(0x0028, 0x0102, 'US', uint16(15)),
    element(0x0028, 0x0103, 'US', uint16(1)),
    element(0x0028, 0x1052, 'DS', '-1024'),
    element(0x0028, 0x1053, 'DS', '1'),
    ...privateBlock(0x0043, 24),
  ];
  const pixels = Buffer.from('e07f10004f5700000000' + '0000', 'hex');
  pixels.writeUInt32LE(size * size * 2, 8);
  const group = Buffer.concat(meta);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(group.length);
  const prefix = [Buffer.alloc(128), Buffer.from('DICM'), element(0x0002, 0x0000, 'UL', length)];
  return Buffer.concat([...prefix, group, ...dataset, pixels]);
}

function privateBlock(group: number, count: number): Buffer[] {
  const values = Array.from({ length: count }, (_, i) => element(group, 0x1000 + i, 'DS', `${i}.5000000`));
  return [element(group, 0x0010, 'LO', 'PHANTOM 1.0'), ...values];
}

function element(group: number, number: number, vr: string, value: string | Buffer): Buffer {
  const text = Buffer.from(value as string, 'latin1');
  const odd = text.length % 2 ? Buffer.from(vr === 'UI' ? '\0' : ' ') : Buffer.alloc(0);
  const length = text.length + odd.length;
  const head = Buffer.alloc(vr === 'OB' ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (vr === 'OB') head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return Buffer.concat([head, text, odd]);
}

function uint16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16LE(value);
  return buffer;
}
