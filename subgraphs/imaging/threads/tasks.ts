import { bulkDataUris } from '../parsing/bulk-data-uris.ts';
import { findBulkData } from '../parsing/bulk-data.ts';
import { readFrameTable } from '../parsing/frame-table.ts';
import { readHeaders, readOpenHeader } from '../parsing/header.ts';
import { readMetadata } from '../parsing/object-metadata.ts';
import { readReports } from '../measurements/report-task.ts';
import { selectAttributes } from '../parsing/select-attributes.ts';
import { inflateFile } from '../parsing/open-file.ts';
import { planFile, rewrittenFile } from '../parsing/transcoding.ts';
import { describeFrames, describeImage } from '../render/image/describe.ts';
import { renderReport, renderWaveform } from '../render/document/document-task.ts';
import { decodeFrame } from '../pixels/codecs/frame.ts';
import type { DecodedFrame } from '../pixels/codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { rasterize } from '../render/image/encode.ts';
import { renderPicture } from '../render/image/picture-task.ts';
import { archiveMetadata, withPalettes } from '../parsing/archive/archive-metadata.ts';
import { transcodeTask } from '../pixels/transcode-task.ts';

/** One frame as it is stored, with its description. */
export interface EncodedFrame {
  encoded: Uint8Array;
  /** Of `encoded`. */
  transferSyntax: string;
  pixels: PixelDescription;
}

/** Tasks of the threads of a pool. Inputs and results are plain values that can pass between threads. */
export const TASKS = {
  decode: ({ encoded, transferSyntax, pixels }: EncodedFrame): Promise<DecodedFrame> =>
    decodeFrame(encoded, transferSyntax, pixels),
  transcode: transcodeTask,
  render: renderPicture,
  rasterize,
  headers: readHeaders,
  openHeader: readOpenHeader,
  metadata: readMetadata,
  frameTable: readFrameTable,
  bulkData: findBulkData,
  bulkDataUris,
  planTranscoding: planFile,
  rewrite: rewrittenFile,
  inflate: inflateFile,
  archiveMetadata,
  withPalettes,
  selectAttributes,
  structuredReports: readReports,
  describeImage,
  describeFrames,
  report: renderReport,
  waveform: renderWaveform,
} as const;

export type TaskName = keyof typeof TASKS;
export type TaskInput<N extends TaskName> = Parameters<(typeof TASKS)[N]>[0];
export type TaskResult<N extends TaskName> = Awaited<ReturnType<(typeof TASKS)[N]>>;
