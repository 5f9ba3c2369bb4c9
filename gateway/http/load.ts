import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { getHeapStatistics } from 'node:v8';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { sendFault, styleOf } from './fault-reply.ts';
import type { Load, LoadRefusal, Metrics } from './metrics.ts';

/** Answers that are streamed and count as one request: they wait for their readers and archives, and hold little. */
const STREAMS_OF_ONE = 10;
/** Share of the largest heap above which the process would soon be ended for lack of memory. */
const FULL_HEAP = 0.95;
/** Seconds. */
const RETRY_AFTER = 2;

export interface LoadLimits {
  /** Requests that are worked on at one time. */
  maxInFlight: number;
  /** Milliseconds: mean delay of the event loop over a second. */
  maxEventLoopDelay: number;
}

export interface LoadOptions {
  baseUrl: string;
  metrics: Metrics;
  limits: LoadLimits | undefined;
  tenants: Pick<Tenants, 'all'>;
}

const PLACE = Symbol('place');
const OF_TENANT = Symbol('load of its tenant');
type Counted = FastifyRequest & { [PLACE]?: keyof Load; [OF_TENANT]?: Load };

/**
 * Counts a request for its tenant, so that one whose archive or EHR is slow leaves room for the others.
 * @throws Fault `unavailable` above `limits.inFlight` of the tenant
 */
export type LimitTenantLoad = (request: FastifyRequest) => void;

/** Returns the load as a number of requests. */
const weigh = ({ requests, streams }: Load): number => requests + streams / STREAMS_OF_ONE;

/**
 * Refuses requests with 503 and `Retry-After` while the process has as many as it can work on, before it learns who
 * asks. A request counts until its answer is sent; a streamed one, such as images or rows, counts as a request until its
 * first byte and then as a stream. Probes are always answered.
 * @param tenants those of the process: where there are several, each may use half of `maxInFlight` by default
 * @param limits undefined: the load is only shown
 */
export async function limitLoad(
  app: FastifyInstance,
  { baseUrl, metrics, limits, tenants }: LoadOptions,
): Promise<LimitTenantLoad> {
  const load: Load = { requests: 0, streams: 0 };
  metrics.showLoad(load);
  // It measures each second. The hook below refuses, in the form of the API.
  await app.register(underPressure);
  const fullHeap = FULL_HEAP * getHeapStatistics().heap_size_limit;
  const refusal = (): LoadRefusal | undefined => {
    if (!limits) return undefined;
    if (weigh(load) >= limits.maxInFlight) return 'in-flight';
    const { eventLoopDelay, heapUsed } = app.memoryUsage();
    // It is infinite while there is no sample, as after a start that has taken long.
    const isLate = Number.isFinite(eventLoopDelay) && eventLoopDelay > limits.maxEventLoopDelay;
    return isLate || heapUsed > fullHeap ? 'pressure' : undefined;
  };
  const move = (request: Counted, place?: keyof Load) => {
    for (const counted of [load, request[OF_TENANT]]) {
      if (!counted) continue;
      if (request[PLACE]) counted[request[PLACE]]--;
      if (place) counted[place]++;
    }
    request[PLACE] = place;
  };
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.probe) return done();
    const reason = refusal();
    if (reason) {
      metrics.loadRefused(reason);
      const fault = new Fault('unavailable', BUSY, { retryAfter: RETRY_AFTER });
      return void sendFault(baseUrl, styleOf(request), fault, { request, reply });
    }
    move(request, 'requests');
    reply.raw.once('close', () => move(request));
    done();
  });
  app.addHook('onSend', (...[request, , payload, done]) => {
    if ((request as Counted)[PLACE] && payload instanceof Readable) move(request, 'streams');
    done();
  });
  const ofTenants = new WeakMap<Tenant, Load>();
  return (request: Counted) => {
    const { tenant } = request;
    const isShared = tenants.all.length + (tenant.dynamic ? 1 : 0) > 1;
    const share = limits && isShared ? Math.ceil(limits.maxInFlight / 2) : Infinity;
    const own = ofTenants.get(tenant) ?? { requests: 0, streams: 0 };
    ofTenants.set(tenant, own);
    if (weigh(own) >= (tenant.limits.inFlight ?? share)) {
      metrics.loadRefused('tenant-in-flight');
      throw new Fault('unavailable', TENANT_BUSY, { retryAfter: RETRY_AFTER });
    }
    if (request[PLACE]) own[request[PLACE]]++;
    request[OF_TENANT] = own;
  };
}

const TENANT_BUSY = 'This tenant has too many requests at the moment; try again in a few seconds.';
const BUSY = 'This service has too many requests at the moment; try again in a few seconds.';
