import type { FastifyReply, FastifyRequest } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MeasureCall } from '../../schema/access/source-calls.ts';
import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import type { Measured } from '../../schema/process/measured.ts';
import { keptChildren, plainCounter } from './metric-counters.ts';

/** Why a request was refused before any work for it began. */
export type LoadRefusal = 'client-rate' | 'tenant-rate' | 'in-flight' | 'tenant-in-flight' | 'pressure';

/** Requests that are worked on, and answers that are being streamed. */
export interface Load {
  requests: number;
  streams: number;
}

/** A GraphQL operation, as its document says. */
export interface AnsweredOperation {
  type: string;
  /** Undefined for one without a name. */
  name: string | undefined;
}

/** The executor of an operation: functions that were compiled from it, or a query plan. */
export type ExecutionWay = 'compiled' | 'planned';

type AnsweredRequest = Pick<FastifyRequest, 'method' | 'routeOptions'>;
type Answer = Pick<FastifyReply, 'statusCode' | 'elapsedTime'>;

export interface Metrics {
  registry: Registry;
  /** Measures an answer. */
  observe(request: AnsweredRequest, answer: Answer): void;
  /** Counts a request that was refused because of the load. */
  loadRefused(reason: LoadRefusal): void;
  /** Shows the present load. */
  showLoad(load: Load): void;
  /** Counts an execution of a GraphQL operation. */
  executed(way: ExecutionWay): void;
  /** Counts a GraphQL document that is not trusted, where a tenant asks (FG-13). @param tenant never one in a URL */
  untrustedDocument(tenant: string, decision: 'accepted' | 'refused'): void;
  /** Counts a changed SUPERGRAPH_FILE (FG-35). */
  supergraphReloaded(outcome: 'loaded' | 'rejected'): void;
  /** Counts a tenant file that has changed. */
  tenantReloaded(result: 'loaded' | 'removed' | 'rejected'): void;
  /** Begins to measure a GraphQL operation; it ends without one where the request has no valid operation. */
  operation(): Measured<AnsweredOperation | undefined>;
  sourceCall: MeasureCall;
  cacheLookup: CountLookup;
  /** Returns all metrics for Prometheus. */
  text(): Promise<string>;
  /** Counts an object of an image source that is not the requested one, or an association refused by our C-STORE SCP. */
  imageRefused(source: string, reason: string): void;
  /** Counts a patient's identity of which a part is withheld because it is not clear. */
  identityUnclear(reason: string): void;
  /** Counts a study for which the clinical record and an archive name different patients (IA-34). */
  studyContradicted(): void;
}

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Creates the Prometheus metrics. No label names a patient, a token or a dynamic tenant, and each has few values. */
export function metrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const contradictions = new Counter({
    name: 'study_contradictions_total',
    help: 'Studies that were not joined, because the record and an archive name different patients',
    registers,
  });
  return {
    registry,
    tenantReloaded: plainCounter({
      name: 'tenant_reloads_total',
      help: 'Changes of tenant files, by result',
      labelNames: ['result'],
      registers,
    }),
    text: () => registry.metrics(),
    ...requestMetrics(registers),
    ...graphqlMetrics(registers),
    ...sourceMetrics(registers),
    imageRefused: plainCounter({
      name: 'images_refused_total',
      help: 'Objects and DIMSE associations of image sources that were refused, by source and reason',
      labelNames: ['source', 'reason'],
      registers,
    }),
    identityUnclear: plainCounter({
      name: 'identity_unclear_total',
      help: 'Identities of patients of which a part was withheld, by reason',
      labelNames: ['reason'],
      registers,
    }),
    studyContradicted: () => contradictions.inc(),
  };
}

function requestMetrics(registers: Registry[]) {
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time to answer, by route pattern and API',
    labelNames: ['method', 'route', 'status', 'api'],
    buckets: SECONDS,
    registers,
  });
  const ofAnswer = keptChildren(requests);
  return {
    observe: ({ method, routeOptions }: AnsweredRequest, { statusCode, elapsedTime }: Answer) => {
      const { url = 'none', config } = routeOptions;
      ofAnswer(method, url, String(statusCode), config.api ?? 'page').observe(elapsedTime / 1000);
    },
    loadRefused: plainCounter({
      name: 'requests_refused_total',
      help: 'Requests that were refused because of a rate or of the load',
      labelNames: ['reason'],
      registers,
    }),
    showLoad(load: Load) {
      const gauge = (name: string, help: string, now: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(now());
          },
        });
      gauge('requests_in_flight', 'Requests whose answer has not begun', () => load.requests);
      gauge('streams_in_flight', 'Answers that are being streamed', () => load.streams);
    },
  };
}

/** Names of operations that are labels. A client cannot make more series. */
const MOST_NAMES = 100;
export const LONGEST_NAME = 64;

function graphqlMetrics(registers: Registry[]) {
  const executed = plainCounter({
    name: 'graphql_executions_total',
    help: 'Executed GraphQL operations, by the way of execution',
    labelNames: ['way'],
    registers,
  });
  const operations = new Histogram({
    name: 'graphql_operation_duration_seconds',
    help: 'Time of GraphQL operations, by name; later names are "other"',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });
  const ofOperation = keptChildren(operations);
  const names = new Set<string>();
  const label = (name: string | undefined): string => {
    if (name === undefined) return 'anonymous';
    if (name.length <= LONGEST_NAME && names.size < MOST_NAMES) names.add(name);
    return names.has(name) ? name : 'other';
  };
  return {
    executed: (way: ExecutionWay) => executed(way),
    untrustedDocument: plainCounter({
      name: 'graphql_untrusted_documents_total',
      help: 'GraphQL requests with a document that is not trusted, by tenant and decision',
      labelNames: ['tenant', 'decision'],
      registers,
    }),
    supergraphReloaded: plainCounter({
      name: 'supergraph_reloads_total',
      help: 'Changes of SUPERGRAPH_FILE, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    operation: () =>
      timed<AnsweredOperation | undefined>((asked, seconds) => {
        if (asked) ofOperation(label(asked.name)).observe(seconds);
      }),
  };
}

function sourceMetrics(registers: Registry[]): Pick<Metrics, 'sourceCall' | 'cacheLookup'> {
  const calls = new Histogram({
    name: 'source_call_duration_seconds',
    help: 'Time of calls to sources until their answer begins, by kind of source and outcome',
    labelNames: ['kind', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const lookedUp = plainCounter({
    name: 'cache_lookups_total',
    help: 'Questions to caches, by result',
    labelNames: ['cache', 'result'],
    registers,
  });
  const ofCall = keptChildren(calls);
  return {
    sourceCall: ({ kind }) => timed((outcome, seconds) => ofCall(kind, outcome).observe(seconds)),
    cacheLookup: (cache, isHit) => lookedUp(cache, isHit ? 'hit' : 'miss'),
  };
}

/** Begins to take the time of a piece of work. */
function timed<End>(observe: (end: End, seconds: number) => void): Measured<End> {
  const began = performance.now();
  return { run: (work) => work(), end: (end) => observe(end, (performance.now() - began) / 1000) };
}
