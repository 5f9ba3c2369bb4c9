import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import type { InstanceOfStudy, Study } from '../study/study.ts';
import type { Payload } from '../study/answer.ts';
import { openValue, valueReader } from './fetched-frames.ts';
import { negotiated } from './rendering-parameters.ts';
import type { WaveformTask } from './document/document-task.ts';
import { MAX_SAMPLES, samplesAddress } from './document/waveform.ts';

/** Rendered resources that are not pictures of pixels: reports, encapsulated documents, waveforms (DW-8). */

export const SVG = 'image/svg+xml';

/** The content is foreign: it must run nothing and fetch nothing, and browsers must not guess its type. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  'x-content-type-options': 'nosniff',
};
/** Browsers refuse to show a PDF in a sandbox, because their viewer has its own. */
const PDF_HEADERS = {
  'content-security-policy': "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'",
  'x-content-type-options': 'nosniff',
};

/** Answers a report as HTML. @param made makes the HTML */
export async function report(
  made: () => Promise<Uint8Array>,
  accept: readonly MediaRange[],
): Promise<Payload> {
  const type = negotiated(accept, ['text/html']);
  const headers = { 'content-type': `${type}; charset=utf-8`, ...HEADERS };
  return { headers, body: await made() };
}

/** Returns whether an object is of Encapsulated PDF Storage, PS3.4 §B.5. */
export function isPdf(dataset: DicomJson): boolean {
  return text(dataset, Tag.SOPClassUID) === '1.2.840.10008.5.1.4.1.1.104.1';
}

/** Answers the document of an object (PS3.3 §C.24), without its padding byte if the length is stated. */
export async function pdf(
  study: Pick<Study, 'bulkdata'>,
  instance: InstanceOfStudy,
  dataset: DicomJson,
  accept: readonly MediaRange[],
): Promise<Payload> {
  const headers = { 'content-type': negotiated(accept, ['application/pdf']), ...PDF_HEADERS };
  const { BulkDataURI, InlineBinary } = dataset['00420011'] ?? { vr: 'OB' };
  const length = number(dataset, '00420015');
  if (InlineBinary !== undefined) {
    return { headers, body: Buffer.from(InlineBinary, 'base64').subarray(0, length) };
  }
  if (BulkDataURI === undefined) throw new Fault('not_found', 'The object holds no document.');
  const bulk = await openValue(study, instance, BulkDataURI);
  const padded = length !== undefined && length > 0 && bulk.size !== undefined && length < bulk.size;
  return { headers, body: bulk.open(padded ? { start: 0, end: length - 1 } : undefined) };
}

/** Draws the waveform of an object as SVG. @throws Fault `not_found` if it cannot be drawn, `too_large` */
export async function drawnWaveform(
  study: Pick<Study, 'bulkdata'>,
  instance: InstanceOfStudy,
  dataset: DicomJson,
  draw: (task: WaveformTask) => Promise<string>,
): Promise<string> {
  const uri = samplesAddress(dataset);
  const samples = uri === undefined ? undefined : await valueReader(study, instance, MAX_SAMPLES)(uri);
  return draw({ dataset, samples });
}

/** Answers an SVG. */
export function drawing(svg: string): Payload {
  return { headers: { 'content-type': SVG, ...HEADERS }, body: Buffer.from(svg) };
}
