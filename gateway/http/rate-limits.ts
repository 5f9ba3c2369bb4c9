import rateLimit, { normalizeIP, type RateLimitPluginOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { Fault } from '../../schema/fault/fault.ts';
import { entryName, type SharedRedis } from '../state/redis.ts';
import type { LoadRefusal } from './metrics.ts';

/** Milliseconds. */
const WINDOW = 60_000;
/** Clients whose requests are counted here. A further one removes the least recently used: memory stays limited. */
const MOST_CLIENTS = 10_000;

/** Counts a request. */
type Count = (request: FastifyRequest) => Promise<Counted>;
type Counted = { isExceeded: boolean; ttlInSeconds: number };

export interface RateOptions {
  /** Counts for all gateways together. While it is away, each gateway counts its own requests. */
  redis: Pick<SharedRedis, 'client' | 'reachable'> | undefined;
  refused(reason: LoadRefusal): void;
}

/**
 * Creates the hook that refuses requests above the rates of the tenant (`limits.requestsPerMinute` of each client,
 * `limits.tenantRequestsPerMinute` of all). It runs after authorization: requests without a valid token use up nobody's
 * rate.
 * @returns a hook that refuses with Fault `too_many_requests`
 */
export async function rateLimits(
  app: FastifyInstance,
  { redis, refused }: RateOptions,
): Promise<onRequestHookHandler> {
  const ofClient = await counter(app, redis, {
    max: ({ tenant }) => tenant.limits.requestsPerMinute!,
    keyGenerator: (request) => entryName('rate', request.tenant.path, clientOf(request)),
  });
  const ofTenant = await counter(app, redis, {
    max: ({ tenant }) => tenant.limits.tenantRequestsPerMinute!,
    keyGenerator: ({ tenant }) => entryName('rate', tenant.path),
  });
  const check = async (request: FastifyRequest, count: Count, reason: 'client-rate' | 'tenant-rate') => {
    const { isExceeded, ttlInSeconds } = await count(request);
    if (!isExceeded) return;
    refused(reason);
    throw new Fault('too_many_requests', MESSAGES[reason], { retryAfter: ttlInSeconds });
  };
  const checkRates = async (request: FastifyRequest) => {
    const { requestsPerMinute, tenantRequestsPerMinute } = request.tenant.limits;
    if (requestsPerMinute !== null) await check(request, ofClient, 'client-rate');
    if (tenantRequestsPerMinute !== null) await check(request, ofTenant, 'tenant-rate');
  };
  // No promise for the many requests that are not counted.
  return (request, _reply, done) => {
    const { requestsPerMinute, tenantRequestsPerMinute } = request.tenant.limits;
    const isCounted = requestsPerMinute !== null || tenantRequestsPerMinute !== null;
    if (!isCounted || request.routeOptions.config.open) return done();
    checkRates(request).then(() => done(), done);
  };
}

const MESSAGES = {
  'client-rate': 'This client has sent as many requests as it may in a minute. Wait for Retry-After.',
  'tenant-rate': 'This tenant has had as many requests as it may in a minute. Wait for Retry-After.',
};

/** Returns the client of the token, else the network of the caller's address. */
const clientOf = ({ access, ip }: FastifyRequest): string =>
  access.client === undefined ? `address ${normalizeIP(ip)}` : `client ${access.client}`;

/** Creates a counter of the last minute, in Redis while it is reachable. */
async function counter(
  app: FastifyInstance,
  redis: RateOptions['redis'],
  options: RateLimitPluginOptions,
): Promise<Count> {
  const here = await counterIn(app, { ...options, cache: MOST_CLIENTS });
  if (!redis) return here;
  const together = await counterIn(app, { ...options, redis: redis.client, nameSpace: '' });
  return (request) => (redis.reachable() ? together(request).catch(() => here(request)) : here(request));
}

/** Registers the plugin in a scope of its own: each has one store. */
async function counterIn(app: FastifyInstance, options: RateLimitPluginOptions): Promise<Count> {
  let count: Count;
  await app.register(async (scope) => {
    await scope.register(rateLimit, { ...options, global: false, timeWindow: WINDOW });
    count = scope.createRateLimit() as Count;
  });
  return count!;
}
