import type { FastifyBaseLogger } from 'fastify';
import { sealingKey, type Access } from '../schema/access/access.ts';
import type { ExpressionPool } from '../schema/expressions/pool.ts';
import type { CountLookup } from '../schema/process/cache-lookups.ts';
import type { Tenant } from '../schema/tenant/tenant.ts';
import {
  clinicalSubgraph,
  declaredClinicalRoutes,
  type ClinicalDependencies,
} from '../subgraphs/clinical/app.ts';
import { SourceAnswers } from '../subgraphs/clinical/sources/source-answers.ts';
import type { FirstSeen } from '../subgraphs/imaging/cache/first-seen.ts';
import { declaredImagingRoutes, imagingSubgraph, type ImagingDeps } from '../subgraphs/imaging/app.ts';
import { join } from 'node:path';
import { allRoutes, analysisPart, noAnalysis, withDefinitions } from './analysis/analysis-part.ts';
import type { UnclearReason } from './identity/resolve-identity.ts';
import type { ServiceName } from './federation/request/service-name.ts';
import { patientDirectory } from './joins/record-directory.ts';
import { recordStudies, type StudiesRecord } from './joins/record-studies.ts';
import { requestRecords } from './joins/request-records.ts';
import { imageFunctions, remoteImages } from './split/image-functions.ts';
import { reachability } from './pages/reachable.ts';
import { forwarded } from './split/forward.ts';
import { SubgraphLink, type SplitUrls } from './split/link.ts';
import { recordFunctions, remoteRecord } from './split/record-functions.ts';
import { remoteGraph } from './split/remote-graph.ts';
import { workAnswers } from './split/shared-work.ts';
import { selfTest } from './self-test/self-test.ts';
import { openShares, sharedPatients } from './share/open-shares.ts';
import { sqliteShareState } from './share/state/share-state.ts';
import { authorizer } from './smart/authorize.ts';
import { capabilities, capabilitySealer } from './smart/capability/capability-admission.ts';
import { accessOfOwnToken, identifiedGrants, ownAccess } from './smart/server/own-access.ts';
import { oauthRoutes } from './smart/server/routes.ts';
import { authorizationServer } from './smart/server/server.ts';
import { peopleOfRecord } from './smart/server/sign-in/people.ts';
import { studyHints } from './smart/server/sign-in/study-hint.ts';
import type { UpstreamDeps } from './smart/token/upstream.ts';
import type { SharedState } from './state/shared-state.ts';
import { beginnings } from './tenants/loading/beginnings.ts';

export interface PartsOptions extends Omit<UpstreamDeps, 'onUnclear'> {
  /** Public base URL with its path prefix. */
  baseUrl: string;
  /** DATA_DIR. */
  dataDir: string;
  /** SEALING_KEY: the first key seals, all keys open. */
  secrets: readonly string[];
  log: FastifyBaseLogger;
  /** The proxy in front of the gateway, if it may fetch answers from archives itself. */
  proxy?: ImagingDeps['proxy'];
  /** Evaluates FHIRPath of callers; by default each subgraph creates its own pool. */
  expressions?: ExpressionPool;
  exports?: Parameters<typeof clinicalSubgraph>[0]['exports'];
  /** Folder for what this process alone writes; by default `dataDir`. */
  ownDir?: string;
  dimse?: ImagingDeps['dimse'];
  onRefused?: ImagingDeps['onRefused'];
  /** Counts identities of which a part is withheld. */
  onUnclear?: (reason: UnclearReason) => void;
  onContradiction?: ImagingDeps['onContradiction'];
  /** Counts hits of caches. */
  countLookup?: CountLookup | undefined;
  /** Milliseconds that a request waits for a record that is being loaded. */
  loadWait?: number;
  /** The state that the gateways of one installation share. */
  shared?: Partial<SharedState> & { seen?: FirstSeen };
  /** The processes of the subgraphs; without it, they are in this process. */
  split?: SplitUrls | undefined;
}

/** Creates the parts of a gateway, each after the parts that it needs: nothing is called before it exists. */
export function gatewayParts(options: PartsOptions) {
  const { baseUrl, dataDir, log, shared = {}, countLookup } = options;
  const outside = outsideOf(options);
  const { now } = outside;
  const sealer = sealerOf(options);
  const subgraphs = options.split
    ? remoteSubgraphs(options, options.split)
    : localSubgraphs(options, { outside, sealer });
  const { clinical, imaging, openRecord, mayHold, analysis } = subgraphs;
  const studies = recordStudies(openRecord, mayHold);
  const record = peopleOfRecord(openRecord, outside);
  const server = authorizationServer({
    baseUrl,
    dataDir,
    outside,
    now,
    people: record.people,
    // Called by requests, when all of this exists.
    patientsOfStudy: (...asked) => patientsOfStudy(...asked),
    onError: (err, tenant) => log.error({ err, tenant }, 'authorization server'),
    state: shared.state,
    shareKeys: shared.shareKeys,
  });
  const tokens = { server, identity: record.identity, now };
  const patientsOfStudy = studyHints({ imaging, record, accessOf: accessOfOwnToken(tokens), now });
  const authorization = authorizer({
    ...outside,
    baseUrl,
    own: { authorize: ownAccess(tokens), smartConfiguration: server.smartConfiguration },
    shared: shared.cache,
    countLookup,
    studyOwners: { ofImages: imaging.studyOwner, ofRecord: studies.subject },
    onInsecure: (tenant, reason) => log.warn({ tenant, reason }, 'an insecure tenant is used'),
  });
  const shares = openShares({
    secrets: options.secrets,
    now,
    openState: () => shared.shares ?? sqliteShareState(join(dataDir, 'share', 'state.sqlite'), now),
    grantOf: sharedPatients({ authorizer: authorization, identified: identifiedGrants(tokens) }),
    openRecord,
    openStudies: imaging.open,
  });
  return {
    clinical,
    imaging,
    server,
    shares,
    operations: subgraphs.operations,
    authorizer: authorization,
    capabilities: capabilities(sealer, authorization, now),
    oauth: oauthRoutes(server, baseUrl),
    people: record.people,
    reachable: reachability(outside),
    /** Tells if a record may have resources of a type, of any patient. */
    recordHolds: (tenant: Tenant, access: Access, type: string) => openRecord(tenant, access).holds(type),
    // The others of several processes have folders of their own.
    ...beginnings({ clinical, imaging, analysis, shares }, options.ownDir === undefined),
    selfTest: selfTest({ ...outside, own: server, record, images: imaging.checks }),
    /** Closes what only a tenant used that was replaced. @param inUse all tenants that are still used */
    release(tenant: Tenant, inUse: readonly Tenant[]): void {
      subgraphs.release(tenant, inUse);
      server.release(tenant);
    },
    async close(): Promise<void> {
      shares.close();
      await Promise.all([subgraphs.close(), server.close()]);
    },
  };
}

/** Creates the calls to systems outside, measured. */
function outsideOf({ dispatcher, now, measure, log, onUnclear }: PartsOptions): UpstreamDeps {
  return {
    dispatcher,
    measure,
    now,
    onUnclear: (tenant, reason) => {
      log.warn({ tenant: tenant.key, reason }, 'withheld: it is not clear whose a record number is');
      onUnclear?.(reason);
    },
  };
}

const sealerOf = ({ secrets, now, shared }: PartsOptions) =>
  capabilitySealer({ secrets, now, links: shared?.links });

/** The needs of a subgraph besides the options. */
interface Means {
  outside: UpstreamDeps;
  sealer: ReturnType<typeof sealerOf>;
}

/** Creates both subgraphs in this process. */
function localSubgraphs(options: PartsOptions, means: Means) {
  // Called by requests, when both exist: the record and the images need each other.
  const clinical = clinicalPart(options, {
    studyImages: (...request) => imaging.studyImages(...request),
    studiesOfObjects: (...asked) => imaging.studiesOfObjects(...asked),
  });
  const records = requestRecords(clinical);
  const { mayHold, joins } = clinical;
  const imaging = imagingPart(options, means, { open: records.open, joins, mayHold });
  const ownDir = options.ownDir ?? options.dataDir;
  const { read: identityOf } = patientDirectory(records.open, means.outside);
  const analysis = analysisPart({ ...options, ownDir, ...means, clinical, imaging, identityOf });
  return {
    clinical: { ...records.subgraph, routes: withDefinitions(clinical.routes, analysis) },
    imaging,
    analysis,
    openRecord: records.open,
    mayHold,
    operations: allRoutes(clinical.operations(imaging.imagesOfPatient), analysis.routes),
    release(tenant: Tenant, inUse: readonly Tenant[]): void {
      clinical.release(tenant, inUse);
      imaging.release(tenant, inUse);
      analysis.release(tenant, inUse);
    },
    async close(): Promise<void> {
      await analysis.close();
      await Promise.all([clinical.close(), imaging.close()]);
    },
  };
}

/** Creates the clinical subgraph. @param more the images, of this process or of another one */
function clinicalPart(
  options: PartsOptions,
  more: Pick<ClinicalDependencies, 'studyImages' | 'studiesOfObjects' | 'answers'>,
) {
  const { dataDir, ownDir, baseUrl, dispatcher, expressions, exports, now, measure, loadWait, log } = options;
  return clinicalSubgraph({
    dataDir,
    ownDir,
    baseUrl,
    dispatcher,
    expressions,
    exports,
    now,
    measure,
    loadWait,
    log,
    ...more,
  });
}

/** The record, of this process or of another one, for the joins of images. */
interface JoinedRecord {
  open(tenant: Tenant, access: Access): StudiesRecord;
  joins: NonNullable<ImagingDeps['record']>;
  mayHold(tenant: Tenant, type: string): boolean;
}

/** Creates the imaging subgraph. */
function imagingPart(options: PartsOptions, { outside, sealer }: Means, record: JoinedRecord) {
  const { baseUrl, dataDir, ownDir, log, dispatcher, expressions, dimse, onRefused, proxy } = options;
  const { measure, countLookup, onContradiction, shared = {} } = options;
  return imagingSubgraph({
    baseUrl,
    dataDir,
    ownDir,
    log,
    dispatcher,
    expressions,
    dimse,
    onRefused,
    measure,
    countLookup,
    proxy,
    now: () => outside.now() / 1000,
    capability: sealer.seal,
    directory: patientDirectory(record.open, outside),
    record: record.joins,
    recordStudies: recordStudies(record.open, record.mayHold),
    onContradiction,
    shared: shared.cache && shared.seen && { cache: shared.cache, seen: shared.seen },
  });
}

/** Makes the subgraphs of other processes usable as if they were in this one. */
function remoteSubgraphs(options: PartsOptions, urls: SplitUrls) {
  const { baseUrl } = options;
  const links = { clinical: linkTo('clinical', options, urls), imaging: linkTo('imaging', options, urls) };
  const record = remoteRecord(links.clinical);
  const images = remoteImages(links.imaging);
  const declared = declaredClinicalRoutes(baseUrl);
  const operations = forwarded(declared.operations(images.imagesOfPatient), links.clinical);
  const analysis = noAnalysis(baseUrl);
  return {
    clinical: {
      ...remoteGraph(links.clinical),
      routes: withDefinitions(forwarded(declared.routes, links.clinical), analysis),
      claims: record.claims,
      /** The record is loaded by its own process. */
      prepare: async () => undefined,
      loading: () => [],
    },
    imaging: {
      ...images,
      ...remoteGraph(links.imaging),
      routes: forwarded(declaredImagingRoutes(baseUrl), links.imaging),
      invalidate: () => undefined,
      prepare: async () => undefined,
      loading: () => [],
    },
    analysis,
    operations: allRoutes(operations, analysis.routes),
    openRecord: record.open,
    mayHold: mayHoldElsewhere,
    /** Each process closes its own. */
    release: () => undefined,
    close: () => Promise.all([links.clinical.close(), links.imaging.close()]),
  };
}

/** Only the process of a record knows more. */
const mayHoldElsewhere = ({ clinical }: Tenant): boolean => clinical.type !== 'none';

function linkTo(service: ServiceName, { secrets, now }: PartsOptions, urls: SplitUrls): SubgraphLink {
  return new SubgraphLink({ service, url: urls[service], keys: secrets.map(sealingKey), now });
}

/** Creates the clinical subgraph of a process of its own: the images are another process. */
export function clinicalProcess(options: PartsOptions, urls: SplitUrls) {
  const link = linkTo('imaging', options, urls);
  const { studyImages, studiesOfObjects, imagesOfPatient } = remoteImages(link);
  const clinical = clinicalPart(options, {
    studyImages,
    studiesOfObjects,
    answers: workAnswers((onGrown) => new SourceAnswers(onGrown), options.now),
  });
  return {
    service: 'clinical' as const,
    schema: clinical.schema,
    open: clinical.open,
    routes: [clinical.routes, clinical.operations(imagesOfPatient)],
    functions: recordFunctions(clinical),
    prepare: clinical.prepare,
    release: clinical.release,
    loading: clinical.loading,
    awaySources: clinical.awaySources,
    async close(): Promise<void> {
      await Promise.all([clinical.close(), link.close()]);
    },
  };
}

/** Creates the imaging subgraph of a process of its own: the record is another process. */
export function imagingProcess(options: PartsOptions, urls: SplitUrls) {
  const link = linkTo('clinical', options, urls);
  const { open, joins } = remoteRecord(link);
  const means = { outside: outsideOf(options), sealer: sealerOf(options) };
  const imaging = imagingPart(options, means, { open, joins, mayHold: mayHoldElsewhere });
  return {
    service: 'imaging' as const,
    schema: imaging.schema,
    open: imaging.open,
    routes: [imaging.routes],
    functions: imageFunctions(imaging),
    prepare: imaging.prepare,
    loading: imaging.loading,
    awaySources: imaging.awaySources,
    checks: imaging.checks,
    invalidate: imaging.invalidate,
    release: imaging.release,
    async close(): Promise<void> {
      await Promise.all([imaging.close(), link.close()]);
    },
  };
}
