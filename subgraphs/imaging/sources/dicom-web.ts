import { once } from 'node:events';
import { pipeline, Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { DICOM_JSON, frameMediaType, Tag, text, type DicomJson } from '../../../schema/dicom.ts';
import { vrOf } from '../../../schema/dictionary.ts';
import { Fault } from '../../../schema/fault.ts';
import type { ImagesConfig } from '../../../schema/tenant.ts';
import { boundaryOf, readMultipart, type IncomingPart } from '../multipart.ts';
import { MultipartRelay } from '../multipart-relay.ts';
import { unpadded } from '../ownership.ts';
import { bulkDataCandidates, relativeBulkData } from './bulk-data-uri.ts';
import { asFault, DicomWebClient, notFound, type Answer } from './dicom-web-client.ts';
import { peekFileMeta } from './file-meta.ts';
import { framesOfInstance } from './spooled-instance.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  Level,
  SourceQuery,
  StoredInstance,
  Target,
} from './source.ts';

/**
 * Attributes asked for beyond what a server gives unasked (PS3.18 §10.6.3.3): those that decide whose a row is, and
 * those of the FHIR resource. Named one by one, because Orthanc does not expand `includefield=all`.
 */
const WANTED: Record<Level, readonly string[]> = {
  study: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.StudyDescription,
    Tag.ModalitiesInStudy,
    Tag.NumberOfStudyRelatedSeries,
    Tag.NumberOfStudyRelatedInstances,
    Tag.TimezoneOffsetFromUTC,
  ],
  series: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.SeriesDate,
    Tag.SeriesTime,
    Tag.SeriesDescription,
    Tag.BodyPartExamined,
    Tag.Laterality,
    Tag.PerformingPhysicianName,
    Tag.NumberOfSeriesRelatedInstances,
    Tag.TimezoneOffsetFromUTC,
    Tag.PerformedProcedureStepStartDate,
    Tag.PerformedProcedureStepStartTime,
    Tag.RequestAttributesSequence,
  ],
  instance: [
    Tag.PatientID,
    Tag.IssuerOfPatientID,
    Tag.PatientBirthDate,
    Tag.NumberOfFrames,
    Tag.Rows,
    Tag.Columns,
    Tag.AvailableTransferSyntaxUID,
  ],
};

/** Answers by which servers say that they cannot give frames of this object (Orthanc: HTJ2K, RLE, waveforms). */
const CANNOT = new Set(['not_acceptable', 'bad_gateway']);

/** A QIDO-RS and WADO-RS server (DW-15). */
export function dicomWebSource(
  config: Extract<ImagesConfig, { type: 'dicom-web' }>,
  now: () => number,
  dispatcher?: Dispatcher,
): ImagingSource {
  const client = new DicomWebClient(config, now, dispatcher);

  async function json(path: string, signal: AbortSignal | undefined): Promise<DicomJson[]> {
    const { status, body } = await client.get(path, { accept: DICOM_JSON, signal });
    try {
      const json = await body.text();
      if (status === 204) return [];
      const rows: unknown = JSON.parse(json);
      if (Array.isArray(rows)) return rows as DicomJson[];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw asFault(error);
    } finally {
      body.destroy();
    }
    throw nonsense();
  }

  async function search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    const { patientIds, limit, offset = 0 } = query;
    if (patientIds?.length === 0) return [];
    const page = async (patientId: string | undefined, paged: boolean) => {
      const rows = await json(searchPath(query, patientId, paged), signal);
      const ours = rows.filter((row) => isOf(row, patientIds));
      return { ours, complete: ours.length === rows.length };
    };
    // Within one study its owner was established before; a server need not match PatientID there.
    if (!patientIds || query.studyUid || patientIds.length === 1) {
      const { ours, complete } = await page(query.studyUid ? undefined : patientIds?.[0]?.value, true);
      if (complete || (limit === undefined && offset === 0)) return ours;
    }
    const values = [...new Set(patientIds?.map(({ value }) => value))];
    const answers = await Promise.all(
      (query.studyUid ? [undefined] : values).map((value) => page(value, false)),
    );
    return answers
      .flatMap(({ ours }) => ours)
      .slice(offset, limit === undefined ? undefined : offset + limit);
  }

  const stored = (target: Target, transferSyntax: string, signal: AbortSignal | undefined) =>
    client.get(pathOf(target), {
      accept: `multipart/related; type="application/dicom"; transfer-syntax=${transferSyntax}`,
      signal,
      // Orthanc says 400 or 500 for a transfer syntax that it cannot produce.
      ...(transferSyntax !== '*' && { statuses: { 400: 'not_acceptable', 500: 'not_acceptable' } as const }),
    });

  async function relay(
    target: Target,
    transferSyntax: string,
    boundary: string,
    signal?: AbortSignal,
  ): Promise<Readable> {
    const { contentType, body } = await stored(target, transferSyntax, signal);
    const theirs = boundaryOf(contentType);
    if (!theirs) {
      body.destroy();
      throw nonsense();
    }
    const relayed = new MultipartRelay(theirs, boundary);
    // Failures go both ways; whoever reads learns of them from the stream.
    pipeline(body, relayed, () => undefined);
    try {
      if (relayed.readableLength === 0) await once(relayed, 'readable');
    } catch (error) {
      throw asFault(error);
    }
    return relayed;
  }

  async function* retrieve(
    target: Target,
    transferSyntax: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredInstance> {
    const answer = await stored(target, transferSyntax, signal);
    for await (const { body, size } of partsOf(answer)) {
      const { meta, bytes } = await peekFileMeta(body);
      yield {
        transferSyntax: meta.transferSyntax ?? (transferSyntax === '*' ? '' : transferSyntax),
        ...(meta.sopInstanceUid !== undefined && { sopInstanceUid: meta.sopInstanceUid }),
        ...(size !== undefined && { size }),
        stream: Readable.from(bytes, { objectMode: false, highWaterMark: 128 * 1024 }),
      };
    }
  }

  async function frames(
    target: InstanceTarget,
    numbers: readonly number[],
    signal?: AbortSignal,
  ): Promise<Frames> {
    const answer = await client
      .get(`${pathOf(target)}/frames/${numbers.join(',')}`, {
        accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        signal,
        statuses: { 400: 'not_acceptable' },
      })
      .catch((error: unknown) => {
        if (error instanceof Fault && CANNOT.has(error.code)) return undefined;
        throw error;
      });
    if (!answer) {
      for await (const instance of retrieve(target, '*', signal)) {
        // Awaited here: leaving the loop ends the retrieval.
        return await framesOfInstance(instance, numbers, signal);
      }
      throw notFound();
    }
    const parts = partsOf(answer);
    const first = await parts.next();
    if (first.done) throw nonsense();
    const [media = '', stated] = mediaTypeOf(first.value.headers['content-type']);
    const transferSyntax = stated ?? '';
    const native = media === 'application/octet-stream' || media === '';
    return {
      mediaType: native ? 'application/octet-stream' : media || frameMediaType(transferSyntax),
      transferSyntax,
      frames: gathered(first.value, parts, numbers.length),
    };
  }

  async function bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData> {
    let answer: Answer | undefined;
    for (const candidate of bulkDataCandidates(path)) {
      answer = await client
        .get(`${pathOf(target)}/${candidate}`, {
          accept: 'multipart/related; type="application/octet-stream"',
          signal,
          statuses: { 400: 'not_found' },
        })
        .catch((error: unknown) => {
          if (error instanceof Fault && error.code === 'not_found') return undefined;
          throw error;
        });
      if (answer) break;
    }
    if (!answer) throw notFound();
    const parts = partsOf(answer);
    const first = await parts.next();
    if (first.done) throw nonsense();
    const { headers, size, body } = first.value;
    return {
      mediaType: mediaTypeOf(headers['content-type'])[0] || 'application/octet-stream',
      ...(size !== undefined && { size }),
      open: (range) => Readable.from(within(body, parts, range), { objectMode: false }),
    };
  }

  return {
    search,
    async metadata(target, signal) {
      const rows = await json(`${pathOf(target)}/metadata`, signal);
      for (const row of rows) rewriteBulkData(row, target);
      return rows;
    },
    retrieve,
    relay,
    frames,
    bulkdata,
    close: () => client.close(),
  };
}

function pathOf({ studyUid, seriesUid, instanceUid }: Target): string {
  const series = seriesUid === undefined ? '' : `/series/${seriesUid}`;
  return `/studies/${studyUid}${series}${instanceUid === undefined ? '' : `/instances/${instanceUid}`}`;
}

/** Only keys that were checked (DW-3), each once: Orthanc ignores what it does not know and takes the last of repeated ones. */
function searchPath(query: SourceQuery, patientId: string | undefined, paged: boolean): string {
  const { level, studyUid, seriesUid } = query;
  const scope = studyUid === undefined ? '' : pathOf({ studyUid, ...(seriesUid && { seriesUid }) });
  const resource = { study: '/studies', series: `${scope}/series`, instance: `${scope}/instances` }[level];
  const keys: [string, string][] = [...query.match].map(([tag, values]) => [
    tag,
    values.map((value) => keyValue(tag, value)).join(','),
  ]);
  if (patientId !== undefined) keys.push([Tag.PatientID, patientId]);
  const fields = new Set([
    ...WANTED[level],
    ...(query.includeField === 'all' ? ['all'] : query.includeField),
  ]);
  for (const field of fields) keys.push(['includefield', field]);
  if (paged && query.limit !== undefined) keys.push(['limit', String(query.limit)]);
  if (paged && query.offset) keys.push(['offset', String(query.offset)]);
  return `${resource}?${keys.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&')}`;
}

/** A comma is a list for Orthanc whatever the attribute, and a range without a beginning matches empty dates there. */
function keyValue(tag: string, value: string): string {
  const vr = vrOf(tag);
  if (vr === 'DA' && value.startsWith('-')) return `00010101${value}`;
  if (vr === 'TM' && value.startsWith('-')) return `000000${value}`;
  return value.replaceAll(',', '?');
}

/** PACS matching is not equality (DW-21): every row is compared again, to the letter. */
function isOf(row: DicomJson, patientIds: SourceQuery['patientIds']): boolean {
  if (!patientIds) return true;
  const id = unpadded(text(row, Tag.PatientID));
  const issuer = unpadded(text(row, Tag.IssuerOfPatientID));
  return patientIds.some((key) => key.value === id && (key.issuer === undefined || key.issuer === issuer));
}

/** The parts of an answer; a server that sends one object without multipart is as good. */
async function* partsOf({ contentType, size, body }: Answer): AsyncGenerator<IncomingPart, void, void> {
  const boundary = boundaryOf(contentType);
  try {
    if (boundary) yield* readMultipart(body, boundary);
    else {
      const headers = { 'content-type': contentType };
      yield { headers, ...(size !== undefined && { size }), body: all(body) };
    }
  } catch (error) {
    throw asFault(error);
  } finally {
    body.destroy();
  }
}

async function* all(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* body;
}

/** Frame by frame, each whole. */
async function* gathered(
  first: IncomingPart,
  parts: AsyncGenerator<IncomingPart, void, void>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  try {
    for (let part: IncomingPart | undefined = first; part; part = (await parts.next()).value ?? undefined) {
      const chunks: Buffer[] = [];
      for await (const chunk of part.body) chunks.push(chunk);
      count++;
      yield chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    }
    if (count !== expected) throw nonsense();
  } finally {
    await parts.return();
  }
}

/** The bytes of one part, or a range of them: servers do not give ranges of a part. */
async function* within(
  body: AsyncIterable<Buffer>,
  parts: AsyncGenerator<IncomingPart, void, void>,
  range: { start: number; end: number } | undefined,
): AsyncGenerator<Buffer, void, void> {
  let at = 0;
  try {
    for await (const chunk of body) {
      const from = range ? Math.max(0, range.start - at) : 0;
      const to = range ? Math.min(chunk.length, range.end + 1 - at) : chunk.length;
      at += chunk.length;
      if (to > from) yield chunk.subarray(from, to);
      if (range && at > range.end) return;
    }
    // Only after the closing delimiter is the part known to be whole (DW-13).
    if (!(await parts.next()).done) return;
  } finally {
    await parts.return();
  }
}

/** `image/jpeg; transfer-syntax=1.2…` → the media type and the transfer syntax. */
function mediaTypeOf(contentType: string | undefined): [mediaType: string, transferSyntax?: string] {
  const [media = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  const syntax = parameters.find((parameter) => /^transfer-syntax=/i.test(parameter));
  const value = syntax?.slice('transfer-syntax='.length).replace(/^"|"$/g, '');
  return value ? [media.toLowerCase(), value] : [media.toLowerCase()];
}

/** Makes every BulkDataURI relative to its instance's URL, and drops those that lead elsewhere. */
function rewriteBulkData(row: DicomJson, target: Target): void {
  const instance = [
    ['studies', text(row, Tag.StudyInstanceUID) ?? target.studyUid],
    ['series', text(row, Tag.SeriesInstanceUID) ?? target.seriesUid],
    ['instances', text(row, Tag.SOPInstanceUID) ?? target.instanceUid],
  ];
  const path = `/${instance.map((pair) => pair.join('/')).join('/')}/`;
  const visit = (dataset: DicomJson) => {
    for (const element of Object.values(dataset)) {
      if (element.BulkDataURI !== undefined) {
        const relative = relativeBulkData(element.BulkDataURI, path);
        if (relative === undefined) delete element.BulkDataURI;
        else element.BulkDataURI = relative;
      }
      if (element.vr === 'SQ') for (const item of element.Value ?? []) visit((item ?? {}) as DicomJson);
    }
  };
  visit(row);
}

function nonsense(): Fault {
  return new Fault('bad_gateway', 'The image archive gave an answer that makes no sense.', {
    service: 'imaging',
  });
}
