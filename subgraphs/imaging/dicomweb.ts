import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UID, type DicomJson } from '../../schema/dicom.ts';
import { Fault, faultHeaders, faultJson, toFault } from '../../schema/fault.ts';
import { logFault } from '../../schema/log-fault.ts';
import { resourceMetadataUrl, tenantBase } from '../../schema/request.ts';
import { negotiateJson, parseAccept, type MediaRange } from './accept.ts';
import type { OpenImaging } from './app.ts';
import { acceptedCoding, CODINGS, compressed, type Coding } from './coding.ts';
import { withRetrieveUrl } from './dicomweb-urls.ts';
import { noSuchResource } from './not-found.ts';
import { parseQido } from './qido.ts';
import type { Pictures } from './render/pictures.ts';
import type { InstanceTarget, Level, Target } from './sources/source.ts';
import type { Imaging } from './studies.ts';
import { frameList, retrieveBulkData, retrieveFrames, retrieveObjects, type Payload } from './wado.ts';

export interface DicomwebOptions {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  /** Where the routes are, below a tenant. Below a capability there is one study, and no list of others (IA-23). */
  under: '/dicomweb' | '/wado/:capability';
  open: OpenImaging;
  pictures: Pictures;
}

const STUDY = '/studies/:studyUid';
const SERIES = `${STUDY}/series/:seriesUid`;
const INSTANCE = `${SERIES}/instances/:instanceUid`;

/** The searches of PS3.18 §10.6. */
const SEARCHES: readonly (readonly [path: string, level: Level])[] = [
  ['/studies', 'study'],
  ['/series', 'series'],
  ['/instances', 'instance'],
  [`${STUDY}/series`, 'series'],
  [`${STUDY}/instances`, 'instance'],
  [`${SERIES}/instances`, 'instance'],
];

const READS = 'GET, HEAD, OPTIONS';
const PICTURES = ['rendered', 'thumbnail'] as const;

/** The DICOMweb face (Studies Service, PS3.18 §10): routes below a tenant. */
export function dicomwebRoutes({ baseUrl, under, open, pictures }: DicomwebOptions) {
  return async function routes(app: FastifyInstance): Promise<void> {
    app.setErrorHandler((error, request, reply) => {
      const fault = toFault(error);
      // A client that has left is no failure of ours.
      if (!reply.raw.destroyed) logFault(request.log, fault, {}, 'dicomweb');
      const base = tenantBase(baseUrl, request.tenant);
      return reply
        .code(fault.status)
        .headers(faultHeaders(fault, base, resourceMetadataUrl(base)))
        .header('cache-control', 'no-store')
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(faultJson(fault)));
    });
    // Nothing that is sent to us is read (DW-20): a refusal needs no parser.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    const read = (path: string, handler: (call: Call) => Promise<unknown>) =>
      app.route({
        method: ['GET', 'HEAD'],
        url: `${under}${path}`,
        exposeHeadRoute: false,
        handler: (request, reply) => handler(new Call(request, reply, baseUrl, open)),
      });

    for (const [path, level] of SEARCHES) {
      if (under === '/dicomweb' || path.startsWith(STUDY)) read(path, (call) => call.search(level));
    }
    for (const path of [STUDY, SERIES, INSTANCE]) {
      read(path, (call) => call.objects());
      read(`${path}/metadata`, (call) => call.metadata());
      for (const kind of PICTURES) read(`${path}/${kind}`, (call) => call.picture(pictures, kind));
    }
    read(`${INSTANCE}/frames/:frames`, (call) => call.frames());
    for (const kind of PICTURES)
      read(`${INSTANCE}/frames/:frames/${kind}`, (call) => call.picture(pictures, kind));
    read(`${INSTANCE}/bulkdata/*`, (call) => call.bulkData());

    for (const url of [under, `${under}/*`]) {
      app.route({
        method: ['GET', 'HEAD'],
        url,
        exposeHeadRoute: false,
        handler: () => Promise.reject(noSuchResource()),
      });
      app.options(url, (_request, reply) => reply.code(204).header('allow', READS).send());
      app.route({
        method: ['POST', 'PUT', 'PATCH', 'DELETE'],
        url,
        handler: () =>
          Promise.reject(
            new Fault('method_not_allowed', 'Images are read here, not stored or changed.', { allow: READS }),
          ),
      });
    }
  };
}

/** One request and its answer. */
class Call {
  private readonly request: FastifyRequest;
  private readonly reply: FastifyReply;
  private readonly imaging: Imaging;
  private readonly base: string;

  constructor(request: FastifyRequest, reply: FastifyReply, baseUrl: string, open: DicomwebOptions['open']) {
    this.request = request;
    this.reply = reply;
    const { capability } = request.params as { capability?: string };
    const face = capability === undefined ? 'dicomweb' : `wado/${capability}`;
    this.base = `${tenantBase(baseUrl, request.tenant)}/${face}`;
    // When the client leaves, what was begun for it ends (DW-15).
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    this.imaging = open(request.tenant, request.access, gone.signal, request.audit);
  }

  async search(level: Level): Promise<unknown> {
    const type = negotiateJson(this.accept());
    const { studyUid, seriesUid } = this.partialTarget();
    const scope = { level, ...(studyUid && { studyUid }), ...(seriesUid && { seriesUid }) };
    const { query, ignored } = parseQido(scope, this.parameters());
    if (ignored.length > 0 && this.request.tenant.images.some(({ strictQuery }) => strictQuery)) {
      throw new Fault('unsupported_parameter', `Not supported here: ${names(ignored)}.`);
    }
    if (!type) throw notJson();
    const { rows, more, failed = [] } = await this.imaging.search(query);
    const warnings = ignored.length > 0 ? [`Not supported and not applied: ${names(ignored)}.`] : [];
    if (more) warnings.push('There are additional results that can be requested.');
    for (const { message } of failed) warnings.push(`A source of images did not answer: ${message}`);
    // PS3.18 §8.3.1 and §10.6.3: 299 says what was not done, and that there is more.
    if (warnings.length > 0) {
      this.reply.header(
        'warning',
        warnings.map((text) => `299 ${new URL(this.base).host} "${text}"`),
      );
    }
    return this.json(
      type,
      rows.map((row) => withRetrieveUrl(row, level, this.base, studyUid)),
    );
  }

  async metadata(): Promise<unknown> {
    const type = negotiateJson(this.accept());
    const target = this.target();
    if (!type) throw notJson();
    const metadata = await this.imaging.encodedMetadata(target);
    const tags = metadataTags(metadata.tag, this.base);
    this.privately();
    this.reply.type(type);
    const known = tags.find(({ tag }) => this.knows(tag));
    if (known) return this.reply.header('etag', known.tag).code(304).send();
    const coding = acceptedCoding(this.acceptEncoding());
    const { tag } = tags.find((one) => one.coding === coding)!;
    return this.sendEncoded(coding, tag, await metadata.encoded(this.base, coding));
  }

  async objects(): Promise<unknown> {
    return this.send(await retrieveObjects(this.imaging, this.target(), this.accept()));
  }

  async frames(): Promise<unknown> {
    const { frames = '' } = this.request.params as { frames?: string };
    const target = this.target() as InstanceTarget;
    return this.send(await retrieveFrames(this.imaging, target, frameList(frames), this.accept()));
  }

  async bulkData(): Promise<unknown> {
    const { '*': rest = '' } = this.request.params as { '*'?: string };
    const target = this.target() as InstanceTarget;
    // Nothing here has a validator that the range could depend on (RFC 9110 §13.1.5).
    const range = this.request.headers['if-range'] ? undefined : this.request.headers.range;
    return this.send(await retrieveBulkData(this.imaging, target, `bulkdata/${rest}`, this.accept(), range));
  }

  /** Rendered resources and thumbnails (DW-8, DW-9). */
  async picture(pictures: Pictures, kind: (typeof PICTURES)[number]): Promise<unknown> {
    const { frames } = this.request.params as { frames?: string };
    const request = {
      target: this.target(),
      frames: frames === undefined ? undefined : frameList(frames),
      query: this.parameters(),
      accept: this.accept(),
    };
    const payload = await pictures[kind](this.imaging, request);
    if (!(payload.body instanceof Uint8Array)) return this.send(payload);
    const tag = entityTag(payload.body);
    this.reply.header('etag', tag);
    if (!this.knows(tag)) return this.send(payload);
    this.privately();
    return this.reply.code(304).send();
  }

  /** The UIDs of the path. @throws Fault `invalid_request` for one that is none (DW-12) */
  target(): Target {
    return this.partialTarget() as Target;
  }

  private partialTarget(): Partial<Target> {
    const { studyUid, seriesUid, instanceUid } = this.request.params as Partial<Target>;
    for (const uid of [studyUid, seriesUid, instanceUid]) {
      if (uid !== undefined && !UID.test(uid)) {
        throw new Fault('invalid_request', 'A UID is digits and dots, at most 64.');
      }
    }
    return {
      ...(studyUid !== undefined && { studyUid }),
      ...(seriesUid !== undefined && { seriesUid }),
      ...(instanceUid !== undefined && { instanceUid }),
    };
  }

  private parameters(): URLSearchParams {
    const { url } = this.request.raw;
    const question = url?.indexOf('?') ?? -1;
    return new URLSearchParams(question < 0 ? '' : url!.slice(question + 1));
  }

  private accept(): MediaRange[] {
    return parseAccept(this.request.headers.accept, this.parameters().getAll('accept'));
  }

  /** Authorised data are nobody else's to keep (DW-14). */
  private privately(): void {
    const vary = String(this.reply.getHeader('vary') ?? '');
    this.reply.header('cache-control', 'private, no-cache');
    this.reply.header(
      'vary',
      [vary, 'Authorization', 'Accept', 'Accept-Encoding'].filter(Boolean).join(', '),
    );
  }

  private send({ status = 200, headers, body }: Payload): unknown {
    this.privately();
    this.reply.code(status).headers(headers);
    if (this.request.method !== 'HEAD') return this.reply.send(body);
    if (!(body instanceof Uint8Array)) body.on('error', () => undefined).destroy();
    else this.reply.header('content-length', String(body.length));
    return this.reply.send();
  }

  /** JSON with an entity tag; compressed when that is taken and worth it (DW-6). */
  private async json(type: string, rows: readonly DicomJson[]): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(rows));
    const tag = entityTag(body);
    this.privately();
    this.reply.type(type);
    if (this.knows(tag)) return this.reply.header('etag', `W/${tag}`).code(304).send();
    const coding = body.length < WORTH_COMPRESSING ? 'identity' : acceptedCoding(this.acceptEncoding());
    return this.sendEncoded(coding, `W/${tag}`, await compressed(body, coding));
  }

  private sendEncoded(coding: Coding, tag: string, bytes: Buffer): unknown {
    this.reply.header('etag', tag).header('content-length', String(bytes.length));
    if (coding !== 'identity') this.reply.header('content-encoding', coding);
    return this.reply.send(this.request.method === 'HEAD' ? undefined : bytes);
  }

  /** Whether the caller has what the entity tag names (RFC 9110 §13.1.2). */
  private knows(tag: string): boolean {
    const known = this.request.headers['if-none-match']?.split(',').map((item) => item.trim());
    return known?.some((item) => item.replace(/^W\//, '') === tag || item === '*') ?? false;
  }

  private acceptEncoding(): string {
    return String(this.request.headers['accept-encoding'] ?? '');
  }
}

/** Of these bytes, RFC 9110 §8.8.3. */
function entityTag(body: Uint8Array): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

const WORTH_COMPRESSING = 1024;

/** A strong entity tag for each coding: what is answered depends on the content, on our base and on the coding alone. */
function metadataTags(content: string, base: string): { coding: Coding; tag: string }[] {
  const hash = createHash('sha256').update(`${content}\n${base}`).digest('base64url').slice(0, 22);
  return CODINGS.map((coding) => ({
    coding,
    tag: coding === 'identity' ? `"${hash}"` : `"${hash}.${coding}"`,
  }));
}

/** Names of keys for a header: what a client made up may hold anything. */
function names(keys: readonly string[]): string {
  return [...new Set(keys.map((key) => (/^[\w.-]{1,64}$/.test(key) ? key : 'another key')))]
    .slice(0, 20)
    .join(', ');
}

function notJson(): Fault {
  return new Fault('not_acceptable', 'This is given as application/dicom+json or application/json.');
}
