import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { concatInTurns, mapInTurns, turns } from '../../../schema/process/event-loop.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { heldTag, isHeldBy, tagOf, tagOfHash } from '../../../schema/http/entity-tag.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import { retrieveAllBulkData, type AllBulkDataRequest, type Values } from './all-bulk-data.ts';
import { multipartObjects, negotiateJson, wantsStoredFrames } from './accept.ts';
import { parseAccept, type MediaRange } from '../../../schema/http/media-ranges.ts';
import { HANDOVER_HEADERS } from '../../../schema/outbound/handover-proxy.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { AuthorizedStudies, OpenImaging } from '../study/authorized-studies.ts';
import { framesPart, MOST_NAMED_FRAMES } from '../study/audit-trail.ts';
import { acceptedCoding, CODINGS, compressed, type Coding } from '../../../schema/http/content-coding.ts';
import { studyRowJson, withRetrieveUrl } from '../dicom/dicomweb-urls.ts';
import { answerTag, notModifiedOr, tagged, warningsOf, type Payload } from '../study/answer.ts';
import { queryOf, rangeOf, requireUtf8, sendPayload } from './http.ts';
import { parseQido } from './qido.ts';
import type { Pictures } from '../render/pictures.ts';
import { ACCEPT_FRAMES, acceptObjects, pathOf } from '../sources/dicom-web/client.ts';
import type { Handover } from '../sources/dicom-web/handover.ts';
import type { InstanceTarget, Level, Target } from '../sources/source.ts';
import { chunked } from '../facts/study-rows.ts';
import type { Study } from '../study/study.ts';
import { frameList, givenFrames, retrieveBulkData, retrieveObjects } from './wado.ts';
import { setWarnings } from '../../../schema/http/warning-header.ts';

export interface CallOptions {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  open: OpenImaging;
  /** Ends work for this request when its client leaves. */
  over: Abortable | undefined;
  /** To the proxy that may fetch answers from archives itself. */
  handover: Handover | undefined;
}

/** Request headers of which an archive may make another answer than the gateway does. */
const CONDITIONS = [
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
];

/** One request and its answer. */
export class Call {
  /** True unless all of the answer was in memory, and everything that was opened for it is closed. */
  mayLeaveWork = true;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #imaging: AuthorizedStudies;
  readonly #over: Abortable | undefined;
  readonly #handover: Handover | undefined;
  #isHandedOver = false;
  readonly #base: string;
  readonly #query: URLSearchParams;

  constructor(request: FastifyRequest, reply: FastifyReply, { baseUrl, open, over, handover }: CallOptions) {
    this.#request = request;
    this.#handover = handover;
    this.#reply = reply;
    this.#base = `${tenantBase(baseUrl, request.tenant)}/${apiOf(request)}`;
    this.#query = queryOf(request);
    requireUtf8(this.#query);
    this.#over = over;
    this.#imaging = open(request.tenant, request.access, over, this.#recorder());
  }

  readonly #throwIfOver = (): void => this.#over?.signal.throwIfAborted();

  /** Returns what records the operations of the request: what is handed over to the proxy is recorded as that. */
  #recorder(): RecordOperation | undefined {
    const { audit } = this.#request;
    if (!this.#handover || !audit) return audit;
    return (operation) =>
      audit(
        this.#isHandedOver && operation.outcome.kind === 'allowed'
          ? copyWith(operation, { isHandedOver: true as const })
          : operation,
      );
  }

  async search(level: Level): Promise<unknown> {
    const type = negotiateJson(this.#accept());
    const { studyUid, seriesUid } = this.#partialTarget();
    const scope = { level, ...(studyUid && { studyUid }), ...(seriesUid && { seriesUid }) };
    const { query, ignored } = parseQido(scope, this.#query);
    if (ignored.length > 0 && this.#request.tenant.images.some(({ strictQuery }) => strictQuery)) {
      throw new Fault('unsupported_parameter', `Not supported here: ${names(ignored)}.`);
    }
    if (!type) throw notJson();
    const { rows, more, failed = [] } = await this.#imaging.search(query);
    const warnings = ignored.length > 0 ? [`Not supported and not applied: ${names(ignored)}.`] : [];
    if (more) warnings.push('There are additional results that can be requested.');
    const unanswered = warningsOf([...failed, ...this.#imaging.sourceFaults]);
    setWarnings(this.#reply, this.#base, [...warnings, ...unanswered]);
    const text = (row: DicomJson) =>
      level === 'study'
        ? studyRowJson(row, this.#base)
        : JSON.stringify(withRetrieveUrl(row, level, this.#base, studyUid));
    return this.#json(type, await mapInTurns(rows, text, this.#throwIfOver));
  }

  async metadata(): Promise<unknown> {
    const type = negotiateJson(this.#accept());
    const target = this.target();
    if (!type) throw notJson();
    const metadata = await this.#imaging.read(target, 'metadata', (study) => study.encodedMetadata(target));
    const tags = metadataTags(metadata.tag, this.#base);
    setWarnings(this.#reply, this.#base, warningsOf(this.#imaging.sourceFaults));
    setCacheControl(this.#reply, 'private');
    this.#reply.type(type);
    const coding = acceptedCoding(this.#acceptEncoding());
    const { tag } = tags.find((one) => one.coding === coding)!;
    const known = tags.find((one) => heldTag(this.#ifNoneMatch(), one.tag))?.tag ?? tag;
    if (isHeldBy(this.#ifNoneMatch(), known)) return this.#reply.header('etag', known).code(304).send();
    return this.#sendEncoded(coding, tag, await metadata.encoded(this.#base, coding));
  }

  async objects(): Promise<unknown> {
    const target = this.target();
    const syntax = multipartObjects(this.#accept(), target.instanceUid !== undefined);
    if (syntax !== undefined && (await this.#handsOver(target, '', acceptObjects(syntax))))
      return this.#reply.send();
    const accept = this.#accept();
    return this.#sendUnlessHeld(target, { part: '', form: [] }, (study) =>
      retrieveObjects(study, target, { accept, imaging: this.#imaging }),
    );
  }

  async frames(): Promise<unknown> {
    const target = this.target() as InstanceTarget;
    const { frames = '' } = this.#request.params as { frames?: string };
    const numbers = frameList(frames);
    const part = framesPart(numbers);
    const accept = this.#accept();
    const form = [...numbers, accept];
    const mayHandOver =
      this.#handover &&
      numbers.length <= MOST_NAMED_FRAMES &&
      wantsStoredFrames(accept, numbers.length === 1);
    if (mayHandOver && (await this.#handsOver(target, part, ACCEPT_FRAMES))) return this.#reply.send();
    const given = async (study: Study) => {
      const stored = await study.frames(target, numbers);
      const tag = answerTag(stored.version, target, part, form);
      const range = study.usedCopy ? undefined : this.#range(tag);
      const payload = await givenFrames(stored, numbers, { accept, range });
      return tagged(withStrongTag(payload, study, tag), study, tag);
    };
    const asked = { target, part, form, ifNoneMatch: this.#ifNoneMatch(), isTagged: true };
    const payload = await this.#imaging.read(target, part, (study) =>
      notModifiedOr(study, asked, () => given(study)),
    );
    this.mayLeaveWork = !(payload.body instanceof Uint8Array);
    return this.#send(payload);
  }

  /**
   * Lets the proxy in front of the gateway fetch an answer from the archive, if it is one that the gateway would pass on.
   * @param part the part of the target, as paths and audit records name it
   * @param accept for the archive
   * @returns true if the headers of the answer are set, and it needs no body
   * @throws Fault as for every retrieval
   */
  async #handsOver(target: Target, part: string, accept: string): Promise<boolean> {
    const { tenant, headers, method } = this.#request;
    if (!this.#handover || method !== 'GET') return false;
    if (CONDITIONS.some((name) => headers[name] !== undefined)) return false;
    const path = [pathOf(target), part].filter(Boolean).join('/');
    const handover = this.#handover(tenant, { headers, path, accept });
    if (!handover) return false;
    this.#isHandedOver = true;
    // The checks of a retrieval; a DICOMweb server has no version to ask for.
    await this.#imaging.read(target, part, (study) => study.version(target));
    this.mayLeaveWork = false;
    const reply = setCacheControl(this.#reply, 'private').headers(handover);
    const cacheControl = reply.getHeader('cache-control');
    reply.header(HANDOVER_HEADERS.cacheControl, cacheControl).removeHeader('cache-control');
    return true;
  }

  async bulkData(): Promise<unknown> {
    const { '*': rest = '' } = this.#request.params as { '*'?: string };
    const target = this.target() as InstanceTarget;
    const accept = this.#accept();
    return this.#sendUnlessHeld(target, { part: 'bulkdata', form: [rest] }, async (study, tag) => {
      const path = `bulkdata/${rest}`;
      const payload = await retrieveBulkData(study, target, path, { accept, range: this.#range(tag) });
      return withStrongTag(payload, study, tag);
    });
  }

  /** Answers all bulk data or pixel data of a study, series or instance (DW-29). */
  async allBulkData(values: Values, threads: AllBulkDataRequest['threads']): Promise<unknown> {
    const [target, accept] = [this.target(), this.#accept()];
    const asked = { target, values, accept, base: this.#base, threads };
    return this.#sendUnlessHeld(target, { part: values, form: ['all'] }, (study) =>
      retrieveAllBulkData(study, asked),
    );
  }

  #range(tag: string | undefined): string | undefined {
    return rangeOf(this.#request, tag);
  }

  /** Sends what `given` makes of the study, or 304 if the caller has it: either is one retrieval (IA-30). */
  async #sendUnlessHeld(
    target: Target,
    { part, form }: { part: string; form: readonly unknown[] },
    given: (study: Study, tag: string | undefined) => Promise<Payload>,
  ): Promise<unknown> {
    const asked = { target, part, form: [...form, this.#accept()], ifNoneMatch: this.#ifNoneMatch() };
    const payload = await this.#imaging.read(target, part, (study) =>
      notModifiedOr(study, asked, (tag) => given(study, tag)),
    );
    return this.#send(payload);
  }

  /** Answers rendered resources and thumbnails (DW-8, DW-9). */
  async picture(pictures: Pictures, kind: 'rendered' | 'thumbnail'): Promise<unknown> {
    const { frames } = this.#request.params as { frames?: string };
    const request = {
      target: this.target(),
      frames: frames === undefined ? undefined : frameList(frames),
      query: this.#query,
      accept: this.#accept(),
      ifNoneMatch: this.#ifNoneMatch(),
      range: (tag: string | undefined) => this.#range(tag),
      signal: this.#over?.signal,
    };
    return this.#send(await pictures[kind](this.#imaging, request));
  }

  /** Returns the UIDs of the path. @throws Fault `invalid_request` for an invalid UID (DW-12) */
  target(): Target {
    return this.#partialTarget() as Target;
  }

  #partialTarget(): Partial<Target> {
    const target: { -readonly [Part in keyof Target]?: Target[Part] } = {};
    for (const name of ['studyUid', 'seriesUid', 'instanceUid'] as const) {
      const uid = (this.#request.params as Partial<Target>)[name];
      if (uid === undefined) continue;
      if (!UID.test(uid)) throw new Fault('invalid_request', 'A UID is digits and dots, at most 64.');
      target[name] = uid;
    }
    return target;
  }

  #accept(): MediaRange[] {
    return parseAccept(this.#request.headers.accept, this.#query.getAll('accept'));
  }

  #send(payload: Payload): unknown {
    setWarnings(this.#reply, this.#base, warningsOf(this.#imaging.sourceFaults));
    return sendPayload(this.#request, this.#reply, payload);
  }

  /** Sends a list with an entity tag; compressed if the client accepts that and it saves enough (DW-6). @param rows as JSON */
  async #json(type: string, rows: readonly string[]): Promise<unknown> {
    const hash = createHash('sha256');
    const pieces: Buffer[] = [];
    const pause = turns(this.#throwIfOver);
    const add = (text: string): void => {
      const piece = Buffer.from(text);
      hash.update(piece);
      pieces.push(piece);
    };
    for (const some of chunked(rows, ROWS_OF_PIECE)) {
      await pause();
      add(`${pieces.length === 0 ? '[' : ','}${some.join(',')}`);
    }
    add(pieces.length === 0 ? '[]' : ']');
    await pause();
    const body = await concatInTurns(pieces, this.#throwIfOver);
    const tag = tagOfHash(hash);
    setCacheControl(this.#reply, 'private');
    this.#reply.type(type);
    if (isHeldBy(this.#ifNoneMatch(), tag)) return this.#reply.header('etag', `W/${tag}`).code(304).send();
    const coding = body.length < WORTH_COMPRESSING ? 'identity' : acceptedCoding(this.#acceptEncoding());
    return this.#sendEncoded(coding, `W/${tag}`, await compressed(body, coding));
  }

  #sendEncoded(coding: Coding, tag: string, bytes: Buffer): unknown {
    this.mayLeaveWork = false;
    this.#reply.header('etag', tag).header('content-length', String(bytes.length));
    if (coding !== 'identity') this.#reply.header('content-encoding', coding);
    return this.#reply.send(this.#request.method === 'HEAD' ? undefined : bytes);
  }

  #ifNoneMatch(): string | undefined {
    return this.#request.headers['if-none-match'];
  }

  #acceptEncoding(): string {
    return String(this.#request.headers['accept-encoding'] ?? '');
  }
}

/** Returns the path of the DICOMweb base that a request has used: its answer has addresses below it. */
function apiOf({ params, routeOptions }: FastifyRequest): string {
  const { capability } = params as { capability?: string };
  if (capability === undefined) return 'dicomweb';
  return routeOptions.config.shared ? `shared/${capability}/dicom-web` : `wado/${capability}`;
}

/** Without a boundary the bytes are the same each time, so their ranges fit together. */
function withStrongTag(payload: Payload, { usedCopy }: Study, tag: string | undefined): Payload {
  const isSame = !usedCopy && !payload.headers['content-type']?.startsWith('multipart/');
  return tag && isSame ? { ...payload, headers: { ...payload.headers, etag: tag } } : payload;
}

/** Rows that are joined at once, about 500 KB. */
const ROWS_OF_PIECE = 500;
/** Minimum bytes of an answer that is compressed. */
const WORTH_COMPRESSING = 1024;

/** Returns a strong entity tag for each coding: the answer depends only on the content, our base and the coding. */
function metadataTags(content: string, base: string): { coding: Coding; tag: string }[] {
  const whole = tagOf(`${content}\n${base}`);
  return CODINGS.map((coding) => ({
    coding,
    tag: coding === 'identity' ? whole : whole.replace(/"$/, `.${coding}"`),
  }));
}

/** Lists names of keys for a header. Names that a client made up may hold anything: these are replaced. */
function names(keys: readonly string[]): string {
  return [...new Set(keys.map((key) => (/^[\w.-]{1,64}$/.test(key) ? key : 'another key')))]
    .slice(0, 20)
    .join(', ');
}

function notJson(): Fault {
  return new Fault('not_acceptable', 'This is given as application/dicom+json or application/json.');
}
