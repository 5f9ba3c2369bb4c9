import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { LRUCache } from 'lru-cache';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/fault/audit.ts';
import { ItemSelector } from '../../schema/expressions/item-selector.ts';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import { subgraphSchema } from '../../schema/graphql/subgraph-schema.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { maxEntries } from '../../schema/outbound/max-entries.ts';
import { AuditedStudies } from './study/audited-studies.ts';
import type { AccessionNumbers } from './authorization/caller-reach.ts';
import { dicomwebRoutes } from './dicomweb/dicomweb.ts';
import { imagingFhirRoutes } from './fhir/fhir.ts';
import type { RecordJoins } from './fhir/joins/record-joins.ts';
import { measurementsOfStudy } from './fhir/measurements.ts';
import type { StudyLinks } from '../../schema/fhir/study-links.ts';
import { priorsOfReport } from './graphql/priors.ts';
import type { PriorsArguments } from './priors/comparison.ts';
import { imagesOfPatient, type ImagesOfPatient } from './fhir/of-patient.ts';
import { patientStudies } from './fhir/patient-studies.ts';
import { MetadataCache } from './cache/metadata-cache.ts';
import { ParsingThreads } from './threads/parsing-threads.ts';
import { PixelPool } from './threads/pool.ts';
import { Pictures } from './render/pictures.ts';
import { ThumbnailCache } from './render/thumbnail-cache.ts';
import { imagingResolvers } from './graphql/resolvers.ts';
import { RestrictedStudies } from './study/restricted-studies.ts';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import { openFirstSeen, type FirstSeen } from './cache/first-seen.ts';
import { sourceChecks } from './sources/source-checks.ts';
import { Sources, type SourcesOptions } from './sources/open.ts';
import type { OpenImaging } from './study/studies.ts';
import type { PatientDirectory } from './authorization/patient-directory.ts';
import type { RecordStudies } from './study/record/record-study.ts';
import { SeveralStudies } from './study/several-studies.ts';
import { OWNER_TTL, StudyCache } from './cache/study-cache.ts';
import type { AbsentStudies, StudyCounts } from './study/study-holders.ts';
import { studiesOfObjects } from './study/object-studies.ts';
import { studyOwner } from './authorization/study-owner.ts';
import { TenantSource, type RefusalDelays } from './cache/tenant-source.ts';
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
  /** Memory that several gateways share: when studies were first seen, and recent answers of sources. */
  shared?: { seen: FirstSeen; cache: SharedCache };
  /** Evaluates FHIRPath of callers; the default pool closes with the subgraph. */
  expressions?: ExpressionPool;
}

/** Studies whose structured reports one request reads at the same time. Other requests use the same threads. */
const STUDIES_AT_ONCE = 2;

/** Makes the imaging subgraph: one core over the tenants' image sources, below the GraphQL, FHIR and DICOMweb APIs. */
export function imagingSubgraph(deps: ImagingDeps) {
  const { baseUrl, dataDir, log, directory, now, capability, record } = deps;
  const pixels = new PixelPool();
  const threads = new ParsingThreads();
  const expressions = deps.expressions ?? new ExpressionPool();
  const sources = new Sources({ ...deps, pixels, threads, expressions });
  const caches = cachesOf(deps, threads);
  const { cache, refusalDelays, metadata, pendingRetrievals, absentStudies, accessionNumbers } = caches;
  const firstSeen = deps.shared?.seen ?? openFirstSeen(dataDir, now);
  const open: OpenImaging = (tenant, access, signal, audit) => {
    const { dispatcher, recordStudies, onContradiction } = deps;
    const request = {
      ...{ tenant, access, directory, now, log, signal, dispatcher, ...caches },
      ...{ recordStudies, onContradiction },
    };
    const restricted = sources.of(tenant).map((images) => new RestrictedStudies({ ...request, images }));
    const core = new SeveralStudies(restricted, request);
    return audit ? new AuditedStudies(core, audit) : core;
  };
  const pictures = new Pictures({
    render: (task) => pixels.runPrepared('render', task),
    rasterize: (task) => pixels.runPrepared('rasterize', task),
    threads,
    thumbnails: new ThumbnailCache({
      directory: join(dataDir, 'thumbnails'),
      onFailure: (error) =>
        log.warn({ code: (error as NodeJS.ErrnoException).code }, 'thumbnails cannot be kept'),
    }),
    now,
  });
  const sdl = readFileSync(new URL('../../schema/imaging.graphql', import.meta.url), 'utf8');
  const options = { baseUrl, capability, firstSeen, now, record, threads };
  return {
    schema: subgraphSchema(sdl, (typeDefs) =>
      imagingResolvers(typeDefs, options, new ItemSelector(expressions)),
    ),
    open,
    /** Registers the routes below `/{tenant}`. */
    async routes(app: FastifyInstance): Promise<void> {
      for (const under of ['/dicomweb', '/wado/:capability'] as const)
        await app.register(dicomwebRoutes({ baseUrl, under, open, pictures }));
      await app.register(wadoUriRoutes({ baseUrl, open, pictures }));
      await app.register(imagingFhirRoutes({ ...options, open }));
    },
    /** Returns the images of a patient as FHIR resources, within the caller's reach; it records nothing (IA-30). */
    imagesOfPatient(tenant: Tenant, access: Access, patientId: string): Promise<ImagesOfPatient> {
      return imagesOfPatient(open(tenant, access), patientId, options);
    },
    /** Returns the studies in the caller's reach that have some UIDs, by patient; it records nothing (IA-30). */
    studiesOfObjects(tenant: Tenant, access: Access, wanted: ReadonlyMap<string, ReadonlySet<string>>) {
      return studiesOfObjects(open(tenant, access), wanted);
    },
    /** Returns what joins the studies of a patient with the clinical record, within the caller's reach. */
    patientStudies(
      tenant: Tenant,
      access: Access,
      {
        patientId,
        signal,
        audit,
      }: { patientId: string; signal?: AbortSignal | undefined; audit?: RecordOperation | undefined },
    ) {
      return patientStudies(open(tenant, access, signal, audit), patientId, options);
    },
    /**
     * Opens what the clinical record asks of single studies for one request, within the caller's reach and recorded as any
     * other retrieval.
     */
    studyImages(...request: Parameters<OpenImaging>) {
      const imaging = open(...request);
      const semaphore = new Semaphore(STUDIES_AT_ONCE);
      return {
        async measurements(studyUid: string) {
          const done = await semaphore.acquire(request[2]);
          return measurementsOfStudy(imaging, studyUid, threads).finally(done);
        },
        priors: (links: StudyLinks, args: PriorsArguments) =>
          priorsOfReport(imaging, links, { args, options }),
      };
    },
    /** Returns the PatientID that a study states; only for the authorization hook. */
    studyOwner(tenant: Tenant, studyUid: string): Promise<string | undefined> {
      const own = sources
        .of(tenant)
        .map((images) => new TenantSource({ images, cache, refusalDelays, pendingRetrievals, now }));
      return studyOwner(own, studyUid);
    },
    checks: sourceChecks(sources),
    /** Forgets cached study metadata of a tenant, or all (IA-29). */
    invalidate(tenantKey?: string): void {
      cache.invalidate(tenantKey);
      metadata.invalidate(tenantKey);
      absentStudies.clear();
      accessionNumbers.clear();
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

/** Makes the caches that the requests of all tenants share. */
function cachesOf({ shared }: ImagingDeps, threads: ParsingThreads) {
  const accessionNumbers: AccessionNumbers = new LRUCache({ ...maxEntries(10_000), ttl: OWNER_TTL * 1000 });
  const absentStudies: AbsentStudies = new LRUCache({ ...maxEntries(100_000), ttl: OWNER_TTL * 1000 });
  const counts: StudyCounts = new LRUCache({ ...maxEntries(100_000) });
  const refusalDelays: RefusalDelays = new LRUCache({ ...maxEntries(10_000) });
  return {
    cache: new StudyCache(shared?.cache),
    metadata: new MetadataCache(threads),
    pendingRetrievals: new PendingRetrievals(),
    decisions: new DecisionCache(),
    recordDecisions: new DecisionCache(),
    ...{ accessionNumbers, absentStudies, counts, refusalDelays },
  };
}
