import type { FastifyBaseLogger, FastifyPluginAsync } from 'fastify';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../../schema/access/access.ts';
import type { MeasureCall } from '../../schema/access/source-calls.ts';
import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { ItemSelector } from '../../schema/expressions/item-selector.ts';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import { absentHere, answeredElsewhere } from '../../schema/http/answered-elsewhere.ts';
import { subgraphSchema } from '../../schema/graphql/subgraph-schema.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import type { RefusalDelay } from '../../schema/process/refusal-delay.ts';
import { dicomwebRoutes, type DicomwebOptions } from './dicomweb/dicomweb.ts';
import { questionsOfRecord } from './questions-of-record.ts';
import { questionsOfTables } from './questions-of-tables.ts';
import { imagingFhirRoutes, type ImagingFhirOptions } from './fhir/fhir.ts';
import type { RecordJoins } from './fhir/joins/record-joins.ts';
import { MetadataCache } from './cache/metadata-cache.ts';
import { ParsingThreads } from './threads/parsing-threads.ts';
import { PixelPool } from './threads/pool.ts';
import { Pictures, type PictureRequest } from './render/pictures.ts';
import { ThumbnailCache } from './render/thumbnail-cache.ts';
import { imagingResolvers } from './graphql/resolvers.ts';
import { CallerArchive } from './study/caller-archive.ts';
import { openFirstSeen, type FirstSeen } from './cache/first-seen.ts';
import { sourceChecks } from './sources/source-checks.ts';
import type { HandoverProxy } from '../../schema/outbound/handover-proxy.ts';
import { Sources, type SourcesOptions } from './sources/open.ts';
import { AuthorizedStudies, type OpenImaging } from './study/authorized-studies.ts';
import type { PatientDirectory } from './authorization/patient-directory.ts';
import type { RecordStudies } from './study/record/record-study.ts';
import { OWNER_TTL, StudyCache } from './cache/study-cache.ts';
import type { Payload } from './study/answer.ts';
import { SeenStudies } from './study/seen-studies.ts';
import { studyOwner } from './authorization/study-owner.ts';
import { TenantSource } from './cache/tenant-source.ts';
import { preparation } from './sources/preparation.ts';
import { PendingRetrievals } from './sources/pending-retrievals.ts';
import { DecisionCache } from './authorization/decision-cache.ts';
import type { SealStudy } from './study/wado-base.ts';
import { wadoUriRoutes } from './dicomweb/wado-uri.ts';

/** Dependencies of the subgraph: it reads no environment variables and no clock. */
export interface ImagingDeps {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  /** DATA_DIR. */
  dataDir: string;
  /** Folder for what this process alone writes: indexes of folders, studies retrieved by DIMSE; by default `dataDir`. */
  ownDir?: string | undefined;
  /** Seconds since the epoch. */
  now(): number;
  log: FastifyBaseLogger;
  /** Patients of the clinical base. */
  directory: PatientDirectory;
  /** The record, for searches of studies that lead to it. */
  record?: RecordJoins;
  /** ImagingStudies of the clinical base, which are joined with those of the archives (IA-34). */
  recordStudies?: RecordStudies;
  /** Counts studies for which the record and an archive name different patients. */
  onContradiction?: (() => void) | undefined;
  /** Makes the URLs of tenants whose images are retrieved by capability (IA-25). */
  capability?: SealStudy;
  /** Reports the progress of the first index of a folder. */
  onProgress?: SourcesOptions['onProgress'];
  /** Connections to archives; dynamic tenants get guarded ones (SM-15). */
  dispatcher?: SourcesOptions['dispatcher'];
  /** Address to which C-MOVE delivers, and how much of it is kept. */
  dimse?: SourcesOptions['dimse'];
  /** Reports what is refused of the data of image sources. */
  onRefused?: SourcesOptions['onRefused'];
  /** Memory that several gateways share: when studies were first seen, recent answers and metadata of sources. */
  shared?: { seen: FirstSeen; cache: SharedCache };
  /** Measures the calls to sources. */
  measure?: MeasureCall | undefined;
  /** Counts hits of caches. */
  countLookup?: CountLookup | undefined;
  /** The proxy in front of the gateway, if it may fetch answers from archives itself. */
  proxy?: HandoverProxy | undefined;
  /** Evaluates FHIRPath of callers; the default pool closes with the subgraph. */
  expressions?: ExpressionPool;
}

/** The caller of one request, and where its operations are recorded. */
interface Caller {
  tenant: Tenant;
  access: Access;
  signal: AbortSignal;
  audit: RecordOperation | undefined;
}

/** Makes the imaging subgraph: one core over the tenants' image sources, below the GraphQL, FHIR and DICOMweb APIs. */
export function imagingSubgraph(deps: ImagingDeps) {
  const { baseUrl, dataDir, ownDir = dataDir, log, directory, now, capability, record, measure } = deps;
  const pixels = new PixelPool();
  const threads = new ParsingThreads();
  const expressions = deps.expressions ?? new ExpressionPool();
  const sources = new Sources({ ...deps, dataDir: ownDir, pixels, threads, expressions });
  const caches = cachesOf(deps, threads);
  const { cache, refusalDelays, metadata, pendingRetrievals, seenStudies, accessionNumbers } = caches;
  const firstSeen = deps.shared?.seen ?? openFirstSeen(dataDir, now);
  const { dispatcher, recordStudies, onContradiction } = deps;
  const common = { directory, now, log, dispatcher, recordStudies, onContradiction, measure, ...caches };
  const opening =
    (caches: () => Pick<typeof common, 'cache' | 'metadata'>): OpenImaging =>
    (tenant, access, over, audit) => {
      const request = { tenant, access, over, audit, calls: access.calls, ...common, ...caches() };
      const archives = sources.of(tenant).map((images) => new CallerArchive(images, request));
      return new AuthorizedStudies(archives, request);
    };
  const open = opening(() => common);
  // All images of a tenant would take the place of what callers use.
  const openUnkept = opening(() => ({ cache: new StudyCache(), metadata: new MetadataCache(threads) }));
  const pictures = new Pictures({
    render: (task) => pixels.runPrepared('render', task),
    rasterize: (task) => pixels.runPrepared('rasterize', task),
    threads,
    thumbnails: new ThumbnailCache({
      directory: join(dataDir, 'thumbnails'),
      countLookup: deps.countLookup,
      onFailure: (error) =>
        log.warn({ code: (error as NodeJS.ErrnoException).code }, 'thumbnails cannot be kept'),
    }),
    now,
  });
  const sdl = readFileSync(new URL('../../schema/imaging.graphql', import.meta.url));
  const options = { baseUrl, capability, firstSeen, now, record, threads };
  return {
    schema: subgraphSchema(sdl, (typeDefs) =>
      imagingResolvers(typeDefs, options, new ItemSelector(expressions)),
    ),
    open,
    routes: imagingRoutes({ ...options, open, pictures, proxy: deps.proxy }),
    ...questionsOfRecord({ open, options }),
    tables: questionsOfTables({ open, openUnkept, sources, options }),
    /** Renders an image as the rendered resources of WADO-RS do (DW-8). */
    rendered(
      { tenant, access, signal, audit }: Caller,
      asked: Omit<PictureRequest, 'ifNoneMatch' | 'signal'>,
    ): Promise<Payload> {
      return pictures.rendered(open(tenant, access, { signal }, audit), { ...asked, signal });
    },
    /** Returns the PatientID that a study states; only for the authorization hook. */
    studyOwner(tenant: Tenant, studyUid: string): Promise<string | undefined> {
      const own = sources
        .of(tenant)
        .map((images) => new TenantSource(images, { measure, cache, refusalDelays, pendingRetrievals, now }));
      return studyOwner(own, studyUid);
    },
    ...preparation(sources),
    checks: sourceChecks(sources),
    awaySources: () => sources.away(),
    /** Forgets cached study metadata (IA-29). */
    invalidate(): void {
      cache.invalidate();
      metadata.invalidate();
      seenStudies.invalidate();
      accessionNumbers.clear();
    },
    /** Closes and forgets what only a tenant used that was replaced. @param inUse all tenants that are still used */
    release(tenant: Tenant, inUse: readonly Tenant[]): void {
      sources.release(tenant, inUse);
      cache.invalidate(tenant.cacheKey);
      metadata.invalidate(tenant.cacheKey);
    },
    async close(): Promise<void> {
      pendingRetrievals.close();
      await sources.close();
      await threads.close();
      await pixels.close();
      if (!deps.expressions) await expressions.close();
      firstSeen.close();
    },
  };
}

/** Returns the routes below `/{tenant}`: DICOMweb, and FHIR REST of images. */
function imagingRoutes(
  options: ImagingFhirOptions & Pick<DicomwebOptions, 'pictures' | 'threads' | 'proxy'>,
): FastifyPluginAsync {
  const { baseUrl, open, pictures, threads, proxy } = options;
  return async (app) => {
    for (const under of ['/dicomweb', '/wado/:capability', '/shared/:capability/dicom-web'] as const)
      await app.register(dicomwebRoutes({ baseUrl, under, open, pictures, threads, proxy }));
    await app.register(wadoUriRoutes({ baseUrl, open, pictures }));
    await app.register(imagingFhirRoutes(options));
  };
}

/** Returns the routes of images that another process has: what they declare, without what answers. */
export function declaredImagingRoutes(baseUrl: string): FastifyPluginAsync {
  return imagingRoutes({
    baseUrl,
    open: answeredElsewhere,
    now: answeredElsewhere,
    firstSeen: absentHere(),
    pictures: absentHere(),
    threads: absentHere(),
  });
}

/** Makes the caches that the requests of all tenants share. */
function cachesOf({ shared, countLookup }: ImagingDeps, threads: ParsingThreads) {
  return {
    cache: new StudyCache(shared?.cache, countLookup),
    metadata: new MetadataCache(threads, shared?.cache, countLookup),
    pendingRetrievals: new PendingRetrievals(),
    decisions: new DecisionCache(),
    recordDecisions: new DecisionCache(),
    seenStudies: new SeenStudies(),
    accessionNumbers: boundedCache<Promise<readonly string[]>>({ entries: 10_000, seconds: OWNER_TTL }),
    refusalDelays: boundedCache<RefusalDelay>({ entries: 10_000 }),
  };
}
