import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { readTls, TlsError, type TlsConfig } from '../schema/outbound/tls.ts';
import { networkOf } from '../schema/outbound/network.ts';

/** The settings of the process; `docs/configuration.md` lists their environment variables. */
export type Settings = ReturnType<typeof readSettings>;

/** `compiled`: our compiled forms; `apollo`: Apollo's planner and executor. */
export type GraphExecutor = Settings['graphExecutor'];

export type LogFormat = NonNullable<Settings['logFormat']>;

export type TraceSettings = NonNullable<Settings['traces']>;

/** An error that an operator can correct. For the environment it names all wrong variables, one in each line. */
export class SettingsError extends Error {}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const LOCAL_NAMES = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/** A comma-separated list. */
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  );

const originUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((url) => new URL(url).pathname === '/', 'must have no path');

/** A proxy without a scheme is called by HTTP. */
const proxy = z
  .string()
  .transform((text) => (text.includes('://') ? text : `http://${text}`))
  .pipe(z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }))
  .optional();
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;

/** A key that is sent in a header has only the characters of a bearer token (RFC 6750 §2.1). */
const sentKey = z
  .string()
  .regex(/^[\w.~+/-]{32,}=*$/, 'must have 32 characters or more, all of them letters, digits or -._~+/')
  .optional();

/** Schema of the environment variables. */
export const environment = z.object({
  PORT: z.coerce.number('must be a number').int().min(0).max(65_535).default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  BASE_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  TENANTS_DIR: z.string().min(1).default('gateway/tenants'),
  TENANTS_INTERVAL_SECONDS: z.coerce.number('must be a number of seconds').min(0).max(3600).default(2),
  DATA_DIR: z.string().min(1).default('.data'),
  SUPERGRAPH_FILE: z.string().min(1).optional(),
  SEALING_KEY: list.refine(
    (keys) => keys.every(({ length }) => length >= 32),
    'must have 32 characters or more in each key',
  ),
  DIMSE_PORT: z.coerce.number('must be a number').int().min(0).max(65_535).default(30_104),
  DIMSE_TLS_CERT: z.string().min(1).optional(),
  DIMSE_TLS_KEY: z.string().min(1).optional(),
  DIMSE_TLS_CA: z.string().min(1).optional(),
  DIMSE_CACHE_MB: z.coerce.number('must be a number').int().min(0).default(4096),
  EXPORT_MB: z.coerce.number('must be a number').int().min(0).default(10_240),
  EXPORT_HOURS: z.coerce.number('must be a number of hours').positive().max(168).default(2),
  VIEWER_SERVERS: z.enum(['any', 'own'], 'must be any or own').default('any'),
  DYN_TENANTS: z.enum(['on', 'off'], 'must be on or off').optional(),
  DYN_ALLOWED_HOSTS: list,
  HTTPS_PROXY: proxy,
  HTTP_PROXY: proxy,
  NO_PROXY: z.string().optional(),
  TRUSTED_PROXIES: list.refine(
    (proxies) => proxies.every((proxy) => networkOf(proxy) !== undefined),
    'must list IP addresses or networks, such as 10.0.0.0/8',
  ),
  ALLOW_MOCK: z.enum(['0', '1', ''], 'must be 1, or not set').optional(),
  CLINICAL_URL: originUrl.optional(),
  IMAGING_URL: originUrl.optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a redis or rediss URL' }).optional(),
  ACCEL: z.literal('nginx', 'must be nginx, or not set').optional(),
  ACCEL_KEY: sentKey,
  OPERATOR_KEY: sentKey,
  MAX_IN_FLIGHT: z.coerce.number('must be a number').int().min(1).max(1_000_000).default(1000),
  MAX_EVENT_LOOP_DELAY_MS: z.coerce.number('must be a number of milliseconds').min(100).default(2000),
  GRAPH_EXECUTOR: z.enum(['compiled', 'apollo'], 'must be compiled or apollo').default('compiled'),
  SLOW_OPERATION_MS: z.coerce.number('must be a number of milliseconds').min(0).default(1000),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .optional(),
  OTEL_SERVICE_NAME: z.string().min(1).default('smart-imaging-gateway'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number('must be a number from 0 to 1').min(0).max(1).default(1),
  METRICS_PORT: z.coerce.number('must be a number').int().min(1).max(65_535).optional(),
  SHUTDOWN_DELAY_SECONDS: z.coerce.number('must be a number of seconds').min(0).max(3600).default(5),
  WORKERS: z.coerce.number('must be a number').int().min(1).max(64).default(1),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  LOG_FORMAT: z.enum(['json', 'text'], 'must be json or text').optional(),
});

/**
 * Reads the environment. Empty values count as not set. The names of proxies may be in lower case, which comes first.
 * @param root folder of the package, where relative paths start
 * @throws SettingsError that names every wrong variable, never its value
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>, root: string) {
  const lowerCase = Object.fromEntries(PROXIES.map((name) => [name, env[name.toLowerCase()] || env[name]]));
  const given = Object.fromEntries(
    Object.entries({ ...env, ...lowerCase }).filter(([, value]) => value !== ''),
  );
  const parsed = environment.safeParse(given);
  const wrong = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  const { CLINICAL_URL, IMAGING_URL } = given;
  if ((CLINICAL_URL === undefined) !== (IMAGING_URL === undefined)) {
    wrong.push('CLINICAL_URL and IMAGING_URL are set together, or neither: then both are in this process');
  }
  if (CLINICAL_URL && !given['SEALING_KEY']) {
    wrong.push(
      'CLINICAL_URL needs SEALING_KEY, the same for all processes: it seals what the gateway sends to the others',
    );
  }
  if (given['REDIS_URL'] && !given['SEALING_KEY']) {
    wrong.push(
      'REDIS_URL needs SEALING_KEY, the same for all gateways: it seals what they share, and a gateway with another key could not open it',
    );
  }
  if (given['ACCEL'] && !given['ACCEL_KEY']) {
    wrong.push(
      'ACCEL needs ACCEL_KEY, the same as in the configuration of nginx: without it, anybody who reaches this process could be given the password of an archive',
    );
  }
  const absolute = (path: string) => (isAbsolute(path) ? path : resolve(root, path));
  const dimseTls = dimseTlsOf(given, absolute, wrong);
  if (wrong.length > 0 || !parsed.success) throw new SettingsError(wrong.join('\n'));
  const read = parsed.data;
  const baseUrl = withoutSlash(read.BASE_URL ?? `http://localhost:${read.PORT}`);
  return {
    port: read.PORT,
    host: read.HOST,
    /** Public base URL, without a slash at the end. */
    baseUrl,
    tenantsDir: absolute(read.TENANTS_DIR),
    /** Seconds between two looks at the tenant files; 0: they are read again at SIGHUP only. */
    tenantsInterval: read.TENANTS_INTERVAL_SECONDS,
    dataDir: absolute(read.DATA_DIR),
    /** File with the supergraph; undefined for that of this version (FG-35). */
    supergraphFile: read.SUPERGRAPH_FILE === undefined ? undefined : absolute(read.SUPERGRAPH_FILE),
    /** The first key seals, all keys open; empty when SEALING_KEY is not set. */
    sealingKeys: read.SEALING_KEY,
    /** Port of our C-STORE SCP, on the same host. */
    dimsePort: read.DIMSE_PORT,
    /** Certificates of that SCP; undefined: it does not speak TLS. */
    dimseTls,
    /** Bytes that studies retrieved by DIMSE may take below DATA_DIR. */
    dimseCacheBytes: read.DIMSE_CACHE_MB * 1024 * 1024,
    /** Bytes that the files of exports may take below DATA_DIR, and seconds for which they are kept. */
    exportBytes: read.EXPORT_MB * 1024 * 1024,
    exportSeconds: read.EXPORT_HOURS * 3600,
    /** Proxies for calls to EHRs and archives; they may hold a password. */
    httpsProxy: read.HTTPS_PROXY,
    httpProxy: read.HTTP_PROXY,
    noProxy: read.NO_PROXY,
    /** True when the viewer opens the tenants of this gateway only. */
    viewerOnlyOwn: read.VIEWER_SERVERS === 'own',
    dynamicTenants: read.DYN_TENANTS ? read.DYN_TENANTS === 'on' : LOCAL_NAMES.has(new URL(baseUrl).hostname),
    dynamicHosts: new Set(read.DYN_ALLOWED_HOSTS.map((host) => host.toLowerCase())),
    /** Addresses and networks of the proxies before us whose `X-Forwarded-For` is trusted. */
    trustedProxies: read.TRUSTED_PROXIES,
    /** URLs of the processes of the subgraphs; undefined: they are in this process. */
    ...(read.CLINICAL_URL !== undefined &&
      read.IMAGING_URL !== undefined && {
        split: { clinical: new URL(read.CLINICAL_URL).origin, imaging: new URL(read.IMAGING_URL).origin },
      }),
    /** True when mock tenants may load with other data than the demonstration's (SM-11). */
    mockAllowed: LOCAL_NAMES.has(read.HOST) || read.ALLOW_MOCK === '1',
    /** URL of the store that several gateways share; it may hold a password. */
    redisUrl: read.REDIS_URL,
    /** Key of the nginx before us that fetches images itself, where ACCEL turns that on. */
    ...(read.ACCEL && { accelKey: read.ACCEL_KEY! }),
    /** Key with which an operator may ask for a tenant's self-test (SM-18). */
    operatorKey: read.OPERATOR_KEY,
    logLevel: read.LOG_LEVEL,
    /** Undefined: text in a terminal, JSON elsewhere. */
    logFormat: read.LOG_FORMAT,
    /** Requests that are worked on at one time. */
    maxInFlight: read.MAX_IN_FLIGHT,
    /** Milliseconds: mean delay of the event loop, over a second, above which requests are refused. */
    maxEventLoopDelay: read.MAX_EVENT_LOOP_DELAY_MS,
    /** The executor of GraphQL operations. */
    graphExecutor: read.GRAPH_EXECUTOR,
    /** Milliseconds from which on a GraphQL operation is logged as slow. */
    slowOperation: read.SLOW_OPERATION_MS,
    /** Port of `/metrics`, on the same host; undefined for the main port. */
    metricsPort: read.METRICS_PORT,
    /** Destination of traces, and the part of them that is exported; undefined: there are no traces. */
    traces: tracesOf(read),
    /** Processes that share the port. */
    workers: read.WORKERS,
    /** Seconds after SIGTERM in which the server still listens while readiness answers 503. */
    shutdownDelaySeconds: read.SHUTDOWN_DELAY_SECONDS,
  };
}

function tracesOf(read: z.infer<typeof environment>) {
  if (read.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined;
  return {
    /** Base URL of a collector that takes OTLP over HTTP, without a slash at the end. */
    endpoint: withoutSlash(read.OTEL_EXPORTER_OTLP_ENDPOINT),
    serviceName: read.OTEL_SERVICE_NAME,
    /** Part, from 0 to 1, of the traces that begin here; a caller's own trace is exported if the caller says so. */
    ratio: read.OTEL_TRACES_SAMPLER_ARG,
  };
}

/** Reads the certificates of the C-STORE SCP; adds to `wrong` what cannot be used. */
function dimseTlsOf(
  given: Readonly<Record<string, string | undefined>>,
  absolute: (path: string) => string,
  wrong: string[],
): TlsConfig | undefined {
  const names = { ca: 'DIMSE_TLS_CA', certificate: 'DIMSE_TLS_CERT', key: 'DIMSE_TLS_KEY' };
  const files = Object.entries(names).flatMap(([part, name]) =>
    given[name] === undefined ? [] : [[part, absolute(given[name])]],
  );
  if (files.length === 0) return undefined;
  const tls = Object.fromEntries(files) as TlsConfig;
  if (!tls.certificate || !tls.key) wrong.push('DIMSE_TLS_CERT and DIMSE_TLS_KEY are needed together');
  try {
    readTls(tls);
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    wrong.push(`${names[error.part]}: ${error.message}`);
  }
  return tls;
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
