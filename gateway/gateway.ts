import type { FastifyBaseLogger } from 'fastify';
import type { Dispatcher } from 'undici';
import type { ExpressionPool } from '../schema/expressions/pool.ts';
import { measuredFetch, type MeasureCall } from '../schema/access/source-calls.ts';
import type { CountLookup } from '../schema/process/cache-lookups.ts';
import type { Tenant } from '../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../subgraphs/clinical/app.ts';
import type { OpenStudyImages } from '../subgraphs/clinical/record/study-images.ts';
import type { FirstSeen } from '../subgraphs/imaging/cache/first-seen.ts';
import { imagingSubgraph, type ImagingDeps } from '../subgraphs/imaging/app.ts';
import type { UnclearReason } from './identity/resolve-identity.ts';
import { patientDirectory } from './joins/record-directory.ts';
import { recordStudies } from './joins/record-studies.ts';
import { requestRecords } from './joins/request-records.ts';
import { selfTest } from './self-test/self-test.ts';
import { authorizer } from './smart/authorize.ts';
import { capabilities, capabilitySealer } from './smart/capability/capability-admission.ts';
import { ownAccess } from './smart/server/own-access.ts';
import { oauthRoutes } from './smart/server/routes.ts';
import { authorizationServer } from './smart/server/server.ts';
import { peopleOfRecord } from './smart/server/sign-in/people.ts';
import type { UpstreamDeps } from './smart/token/upstream.ts';
import type { SharedState } from './state/shared-state.ts';

export interface PartsOptions extends Omit<UpstreamDeps, 'onUnclear'> {
  /** Public base URL with its path prefix. */
  baseUrl: string;
  /** DATA_DIR. */
  dataDir: string;
  /** SEALING_KEY: the first key seals, all keys open. */
  secrets: readonly string[];
  log: FastifyBaseLogger;
  /** Returns the dispatcher for the archives and EHRs of a tenant; undefined for the default one. */
  dispatcher?: (tenant: Tenant) => Dispatcher | undefined;
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
  /** Measures the calls to sources, those of authorization too. */
  measure?: MeasureCall | undefined;
  /** Counts hits of caches. */
  countLookup?: CountLookup | undefined;
  /** Milliseconds that a request waits for a record that is being loaded. */
  loadWait?: number;
  /** The state that the gateways of one installation share. */
  shared?: Partial<SharedState> & { seen?: FirstSeen };
}

/** Creates the parts of a gateway, each after the parts that it needs: nothing is called before it exists. */
export function gatewayParts(options: PartsOptions) {
  const { baseUrl, dataDir, ownDir, secrets, log, dispatcher, expressions, exports } = options;
  const { dimse, onRefused, shared = {}, measure, countLookup } = options;
  const measured = (own: typeof fetch) => (measure ? measuredFetch(own, measure) : own);
  const outside: UpstreamDeps = {
    fetch: measured(options.fetch),
    guardedFetch: measured(options.guardedFetch),
    now: options.now,
    onUnclear: (tenant, reason) => {
      log.warn({ tenant: tenant.key, reason }, 'withheld: it is not clear whose a record number is');
      options.onUnclear?.(reason);
    },
  };
  const { now } = outside;

  // Called by requests, when all parts exist.
  const studyImages: OpenStudyImages = (...request) => imaging.studyImages(...request);
  const clinical = clinicalSubgraph({
    studyImages,
    ...{ dataDir, ownDir, baseUrl, dispatcher, expressions, exports, now, measure },
    loadWait: options.loadWait,
    // The record and the images need each other; a request comes when both are there.
    studiesOfObjects: (...asked) => imaging.studiesOfObjects(...asked),
  });
  const records = requestRecords(clinical);
  const studies = recordStudies(records.open, clinical.mayHold);
  const record = peopleOfRecord(clinical.open, outside);
  const sealer = capabilitySealer({ secrets, now, links: shared.links });
  const imaging = imagingSubgraph({
    ...{ baseUrl, dataDir, ownDir, log, dispatcher, expressions, dimse, onRefused, measure, countLookup },
    now: () => now() / 1000,
    capability: sealer.seal,
    directory: patientDirectory(records.open, outside),
    record: clinical.joins,
    recordStudies: studies,
    onContradiction: options.onContradiction,
    shared: shared.cache && shared.seen && { cache: shared.cache, seen: shared.seen },
  });
  const server = authorizationServer({
    ...{ baseUrl, dataDir, outside, now, people: record.people },
    onError: (err, tenant) => log.error({ err, tenant }, 'authorization server'),
    state: shared.state,
    shareKeys: shared.shareKeys,
  });
  const authorization = authorizer({
    ...outside,
    baseUrl,
    own: {
      authorize: ownAccess({ server, identity: record.identity, now }),
      smartConfiguration: server.smartConfiguration,
    },
    shared: shared.cache,
    countLookup,
    studyOwners: { ofImages: imaging.studyOwner, ofRecord: studies.subject },
    onInsecure: (tenant, reason) => log.warn({ tenant, reason }, 'an insecure tenant is used'),
  });
  return {
    ...{ clinical: records.subgraph, imaging, server },
    operations: clinical.operations(imaging.imagesOfPatient),
    authorizer: authorization,
    capabilities: capabilities(sealer, authorization, now),
    oauth: oauthRoutes(server, baseUrl),
    selfTest: selfTest({ ...outside, own: server, record, images: imaging.checks }),
    async close(): Promise<void> {
      await Promise.all([clinical.close(), imaging.close(), server.close()]);
    },
  };
}
