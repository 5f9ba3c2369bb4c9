import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Capabilities } from './capability-admission.ts';

/** The part of the imaging core that a link needs: whether the caller reaches a study, and its patient. */
export type OpenStudies = (
  tenant: Tenant,
  access: Access,
  over?: Abortable,
  audit?: RecordOperation,
) => {
  find(
    studyUid: string,
    wanted: { detail: 'study' },
  ): Promise<{ record?: { patientId?: string } } | undefined>;
};

export interface WadoLinkOptions {
  baseUrl: string;
  capabilities: Capabilities;
  openStudies: OpenStudies;
}

const HELP =
  'Send {"path": "studies/{uid}/series/{uid}/instances/{uid}/rendered", "accept": "image/png"}, or {"path": "studies/{uid}", "accept": "application/zip"}: a WADO-RS path without a slash before it, or an address of this tenant such as a wadoUrl, and a media type.';

/** The part of an address of images between the tenant's base and `studies/`. */
const WADO_BASE = /^\/(?:dicomweb|wado\/[\w.-]+)\//;
/** A retrieval (PS3.18 §10.4), relative to the WADO-RS base; the query is for rendering. */
const RETRIEVAL =
  /^studies\/([0-9.]{1,64})(?:\/series\/([0-9.]{1,64})(?:\/instances\/([0-9.]{1,64})(?:\/frames\/[0-9,]{1,4096})?)?)?(?:\/(?:rendered|thumbnail|metadata|bulkdata|pixeldata))?(?:\?[\w.,;=&%+-]{1,512})?$/;
const MEDIA_TYPES = /^[\w.+*-]+\/[\w.+*-]+(?:\s*[;,]\s*[\w.+*/="-]+)*$/;

/** Returns the route `POST /wado/links` (IA-33): a link for one retrieval without a header, as by `<img>` or a download. */
export function wadoLinkRoutes({ baseUrl, capabilities, openStudies }: WadoLinkOptions): FastifyPluginAsync {
  return async function routes(app: FastifyInstance): Promise<void> {
    const config = {
      api: 'dicomweb',
      serves: { interaction: 'operation', studyFrom: { body: 'path' } },
      stateIn: 'store',
    } as const;
    app.post('/wado/links', { config }, async ({ tenant, access, body, audit }, reply) => {
      const base = tenantBase(baseUrl, tenant);
      const { path, studyUid } = linkPath(body, base);
      const found = await openStudies(tenant, access, undefined, audit).find(studyUid, { detail: 'study' });
      if (!found) throw noSuchObject();
      const { patientId } = found.record ?? {};
      const { sealed, expires } = await capabilities.sealLink(
        tenant,
        access,
        { uid: studyUid, patientId },
        path,
      );
      const url = `${base}/wado/${sealed}/${path}`;
      return reply.code(201).send({ url, expires: new Date(expires * 1000).toISOString() });
    });
  };
}

/**
 * Reads the path of the link from the body.
 * @param base the tenant's: an address below it is taken as well
 * @throws Fault `invalid_request` that says what to send
 */
function linkPath(body: unknown, base: string): { path: string; studyUid: string } {
  const {
    path: asked,
    accept,
    ...others
  } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const path = typeof asked === 'string' ? relativeTo(base, asked) : '';
  const [, ...uids] = RETRIEVAL.exec(path) ?? [];
  const [studyUid] = uids;
  const named = accept === undefined || (typeof accept === 'string' && accept.length <= 256);
  const wellFormed = named && (accept === undefined || MEDIA_TYPES.test(accept as string));
  const twice = accept !== undefined && /[?&]accept=/.test(path);
  const isUids = uids.every((uid) => uid === undefined || UID.test(uid));
  if (studyUid === undefined || !isUids || !wellFormed || twice || Object.keys(others).length > 0) {
    throw new Fault('invalid_request', HELP);
  }
  const query = accept === undefined ? '' : `accept=${encodeURIComponent(accept as string)}`;
  const joint = query === '' ? '' : path.includes('?') ? '&' : '?';
  return { path: `${path}${joint}${query}`, studyUid };
}

/** Returns an address of the tenant's images as a path below its WADO-RS base, and any other text as it is. */
function relativeTo(base: string, address: string): string {
  const below = address.startsWith(base) ? address.slice(base.length) : '';
  return WADO_BASE.test(below) ? below.replace(WADO_BASE, '') : address;
}

const EXTENSIONS: Record<string, string> = {
  'application/zip': '.zip',
  'application/pdf': '.pdf',
  'application/dicom': '.dcm',
  'application/json': '.json',
  'application/dicom+json': '.json',
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/gif': '.gif',
  'image/webp': '.webp',
  'image/svg+xml': '.svg',
  'text/html': '.html',
};

/**
 * Adds headers to the answers of links: they are downloaded as a file named after the study, not after a person, and are
 * not cached. A link whose answer failed on the server (5xx) can be used again.
 */
export function addLinkHeaders(app: FastifyInstance, capabilities: Capabilities): void {
  app.addHook('onSend', (...[{ raw }, reply, , done]) => {
    const studyUid = capabilities.linkedStudy(raw);
    if (studyUid === undefined || reply.statusCode >= 300) return done();
    const [type = ''] = String(reply.getHeader('content-type') ?? '').split(';');
    void setCacheControl(reply, 'noStore').header(
      'content-disposition',
      `attachment; filename="${studyUid}${EXTENSIONS[type] ?? ''}"`,
    );
    done();
  });
  app.addHook('onResponse', ({ raw }, reply, done) => {
    if (reply.statusCode < 500) return done();
    // If this fails, the link is used up, and the client has to request a new one.
    capabilities.giveBack(raw).then(
      () => done(),
      () => done(),
    );
  });
}
