import type { FastifyInstance } from 'fastify';
import { DICOM, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { imagesRoute } from '../../../schema/http/served.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import type { DicomwebOptions } from './dicomweb.ts';
import { prepareRoutes, queryOf, rangeOf, readsOnly, requireUtf8, sendPayload } from './http.ts';
import { notModifiedOr, warningsOf, type Payload } from '../study/answer.ts';
import type { PictureRequest, Pictures } from '../render/pictures.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import type { Study } from '../study/study.ts';
import { retrieveObjects } from './wado.ts';
import { setWarnings } from '../../../schema/http/warning-header.ts';
import { wadoUriRequest, type WadoUriRequest } from './wado-uri-parameters.ts';

const PATH = '/wado-uri';
const SERVES = imagesRoute('retrieve', { query: 'studyUID' });

/** Returns the route of the URI Service (PS3.18 §9), for older clients: one object, by the parameters of a query. */
export function wadoUriRoutes({
  baseUrl,
  open,
  pictures,
}: Pick<DicomwebOptions, 'baseUrl' | 'open' | 'pictures'>) {
  return async function routes(app: FastifyInstance): Promise<void> {
    prepareRoutes(app, baseUrl);
    readsOnly(app, PATH, SERVES);
    app.route({
      method: ['GET', 'HEAD'],
      url: PATH,
      ...SERVES,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const query = queryOf(request);
        const asked = wadoUriRequest(query, request.headers.accept);
        requireUtf8(query);
        const signal = clientLeft(reply, { orAnswered: true });
        const imaging = open(request.tenant, request.access, { signal }, request.audit);
        const range = (tag: string | undefined) => rangeOf(request, tag);
        const caller = { ifNoneMatch: request.headers['if-none-match'], range, signal };
        const payload = await retrieved(imaging, pictures, asked, caller);
        setWarnings(reply, baseUrl, warningsOf(imaging.sourceFaults));
        return sendPayload(request, reply, payload);
      },
    });
  };
}

/** Returns the object or a picture of it: the preferred one that can be given. */
async function retrieved(
  imaging: AuthorizedStudies,
  pictures: Pictures,
  asked: WadoUriRequest,
  caller: Pick<PictureRequest, 'ifNoneMatch' | 'range' | 'signal'>,
): Promise<Payload> {
  const { target, accept, frame, rendering } = asked;
  const shown = accept.filter(({ type }) => type !== DICOM);
  const frames = frame === undefined ? undefined : [frame];
  const picture = () => pictures.shown(imaging, { target, frames, accept: shown, ...caller }, rendering);
  const object = () => {
    const form = ['wado-uri', asked.transferSyntax];
    const { ifNoneMatch } = caller;
    return imaging.read(target, '', (study) =>
      notModifiedOr(study, { target, part: '', form, ifNoneMatch }, () => stored(study, asked, imaging)),
    );
  };
  if (shown.length === accept.length) return picture();
  if (shown.length === 0) return object();
  const [first, second] = accept[0]!.type === DICOM ? [object, picture] : [picture, object];
  return orElse(first, second);
}

/**
 * Returns the object in the requested transfer syntax or, if that is not possible, in the default one (PS3.18
 * §9.4.1.2.2).
 */
function stored(
  study: Study,
  { target, transferSyntax }: WadoUriRequest,
  imaging: AuthorizedStudies,
): Promise<Payload> {
  const usual = TransferSyntax.ExplicitVRLittleEndian;
  const inSyntax = (syntax: string) => () =>
    retrieveObjects(study, target, { accept: [single(syntax)], imaging });
  if (transferSyntax === undefined || transferSyntax === usual) return inSyntax(usual)();
  return orElse(inSyntax(transferSyntax), inSyntax(usual));
}

function single(transferSyntax: string): MediaRange {
  return { type: DICOM, parameters: { 'transfer-syntax': transferSyntax }, quality: 1 };
}

async function orElse<T>(first: () => Promise<T>, second: () => Promise<T>): Promise<T> {
  try {
    return await first();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'not_acceptable') throw error;
    return second();
  }
}
