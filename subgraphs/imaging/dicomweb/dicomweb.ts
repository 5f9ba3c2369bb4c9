import type { FastifyInstance } from 'fastify';
import type { AllBulkDataRequest } from './all-bulk-data.ts';
import { Call } from './call.ts';
import { endOf } from '../../../schema/http/client-left.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { belowShare, imagesRoute, type ServingRoute } from '../../../schema/http/served.ts';
import { handoverTo } from '../sources/dicom-web/handover.ts';
import type { OpenImaging } from '../study/authorized-studies.ts';
import { prepareRoutes, readsOnly } from './http.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import type { Pictures } from '../render/pictures.ts';
import type { HandoverProxy } from '../../../schema/outbound/handover-proxy.ts';
import type { Level } from '../sources/source.ts';

export interface DicomwebOptions {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  /** Path of the routes, below a tenant. Below a capability there is one study, and no list of studies (IA-23). */
  under: '/dicomweb' | '/wado/:capability' | '/shared/:capability/dicom-web';
  open: OpenImaging;
  pictures: Pictures;
  /** Read metadata off the event loop. */
  threads: AllBulkDataRequest['threads'];
  /** The proxy in front of the gateway, if it may fetch answers from archives itself. */
  proxy?: HandoverProxy | undefined;
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

const SEARCH = imagesRoute('search');
const RETRIEVE = imagesRoute('retrieve');

/** Retrievals that do not end with their client, as searches do not: others may wait for the same answer (IA-19). */
const SHARED: readonly string[] = [`${STUDY}/metadata`, `${SERIES}/metadata`];

const PICTURES = ['rendered', 'thumbnail'] as const;

/** Returns the routes of DICOMweb (Studies Service, PS3.18 §10) below a tenant. */
export function dicomwebRoutes({ baseUrl, under, open, pictures, threads, ...more }: DicomwebOptions) {
  // A link can be used once: the request could not be repeated after a failure of the archive.
  const handover = more.proxy && under === '/dicomweb' ? handoverTo(more.proxy) : undefined;
  return async function routes(app: FastifyInstance): Promise<void> {
    prepareRoutes(app, baseUrl);
    const isShared = under.startsWith('/shared/');
    const search = isShared ? belowShare(SEARCH) : SEARCH;
    const retrieve = isShared ? belowShare(RETRIEVE) : RETRIEVE;
    // Who was shown a study keeps nothing of it without wanting to (IA-36).
    if (isShared) {
      app.addHook('onSend', (...[, reply, , done]) => {
        void setCacheControl(reply, 'noStore');
        done();
      });
    }

    const route = (serves: ServingRoute, path: string, handler: (call: Call) => Promise<unknown>) => {
      const endsWithClient = serves === retrieve && !SHARED.includes(path);
      app.route({
        ...serves,
        method: ['GET', 'HEAD'],
        url: `${under}${path}`,
        exposeHeadRoute: false,
        handler: (request, reply) => {
          let call: Call | undefined;
          const end = () => endOf(reply, { orAnswered: () => call?.mayLeaveWork ?? true });
          const over = endsWithClient ? end() : undefined;
          call = new Call(request, reply, { baseUrl, open, over, handover });
          return handler(call);
        },
      });
    };

    const read = (path: string, handler: (call: Call) => Promise<unknown>) => route(retrieve, path, handler);

    for (const [path, level] of SEARCHES) {
      if (under === '/dicomweb' || path.startsWith(STUDY)) route(search, path, (call) => call.search(level));
    }
    for (const path of [STUDY, SERIES, INSTANCE]) {
      read(path, (call) => call.objects());
      read(`${path}/metadata`, (call) => call.metadata());
      for (const kind of PICTURES) read(`${path}/${kind}`, (call) => call.picture(pictures, kind));
    }
    for (const path of [STUDY, SERIES, INSTANCE]) {
      for (const values of ['bulkdata', 'pixeldata'] as const)
        read(`${path}/${values}`, (call) => call.allBulkData(values, threads));
    }
    read(`${INSTANCE}/frames/:frames`, (call) => call.frames());
    for (const kind of PICTURES)
      read(`${INSTANCE}/frames/:frames/${kind}`, (call) => call.picture(pictures, kind));
    read(`${INSTANCE}/bulkdata/*`, (call) => call.bulkData());

    for (const url of [under, `${under}/*`]) {
      app.route({
        method: ['GET', 'HEAD'],
        url,
        ...search,
        exposeHeadRoute: false,
        onRequest: () => Promise.reject(noSuchResource()),
        handler: async () => undefined,
      });
      readsOnly(app, url, search);
    }
  };
}
