/** What ffmpeg, a program that is not ours, finds in a video file. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserCommand } from 'vitest/node';
import type { JudgedVideo, Region } from '../component/judged-video.ts';

interface Probed {
  streams: {
    codec_name: string;
    width: number;
    height: number;
    color_range?: string;
    color_space?: string;
  }[];
  format: { duration: string; tags?: Record<string, string> };
  frames: { pts_time: string }[];
}

const PROBE = '-v error -select_streams v:0 -show_streams -show_format -show_frames -of json'.split(' ');
const DECODE = '-f rawvideo -pix_fmt yuv420p -fps_mode passthrough pipe:1'.split(' ');

/**
 * Decodes a video.
 * @param luma (BT.709) that a region of its frames should have, one frame after the other, 0 to 255
 */
export function judgedVideo(file: Buffer, luma: Buffer, region: Region): JudgedVideo {
  const folder = mkdtempSync(join(tmpdir(), 'judged-video-'));
  try {
    const path = join(folder, 'video');
    writeFileSync(path, file);
    const run = (program: string, args: string[]) => execFileSync(program, args, { maxBuffer: 2 ** 31 - 1 });
    const probed = JSON.parse(String(run('ffprobe', [...PROBE, path]))) as Probed;
    const { codec_name: codec, width, height, color_range: range, color_space: space } = probed.streams[0]!;
    // The luma of coloured pixels depends on it.
    if (space !== 'bt709') throw new Error(`the luma of the video is of ${space}, not of BT.709`);
    const decoded = run('ffmpeg', ['-v', 'error', '-i', path, ...DECODE]);
    const length = (width * height * 3) / 2;
    const decibels = Array.from({ length: decoded.length / length }, (_, index) => {
      const shown = decoded.subarray(index * length, (index + 1) * length);
      const wanted = luma.subarray(index * region.width * region.height);
      return decibelsOf({ shown, wanted, width, region, isFull: range === 'pc' });
    });
    return {
      codec,
      width,
      height,
      duration: Number(probed.format.duration),
      times: probed.frames.map(({ pts_time: time }) => Number(time)),
      tags: probed.format.tags ?? {},
      decibels,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `judgedVideo` for tests of components, in Base64. */
export const judgeVideo: BrowserCommand<[file: string, luma: string, region: Region]> = (
  _context,
  file,
  luma,
  region,
) => judgedVideo(Buffer.from(file, 'base64'), Buffer.from(luma, 'base64'), region);

function decibelsOf(frame: {
  shown: Buffer;
  wanted: Buffer;
  /** Of the video. */
  width: number;
  region: Region;
  isFull: boolean;
}): number {
  const { shown, wanted, width, region, isFull } = frame;
  let squares = 0;
  for (let row = 0; row < region.height; row++)
    for (let column = 0; column < region.width; column++) {
      const luma = shown[(region.top + row) * width + region.left + column]!;
      // Of a usual video 16 is black and 235 is white.
      const value = isFull ? luma : ((luma - 16) * 255) / 219;
      squares += (value - wanted[row * region.width + column]!) ** 2;
    }
  return 10 * Math.log10((255 ** 2 * region.width * region.height) / squares);
}
