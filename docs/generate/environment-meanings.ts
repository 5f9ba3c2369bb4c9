import type { z } from 'zod';
import type { environment } from '../../gateway/settings.ts';

interface Meaning {
  text: string;
  /** The default, if the schema does not have it. */
  fallback?: string;
}

/** The meaning of each environment variable, in the order of `docs/configuration.md`. */
export const ENVIRONMENT_MEANINGS: Readonly<Record<keyof z.input<typeof environment>, Meaning>> = {
  PORT: { text: 'Port of the gateway.' },
  HOST: { text: 'Address to listen on; `::` is IPv6 and IPv4. In the image it is `0.0.0.0`.' },
  BASE_URL: {
    fallback: '`http://localhost:$PORT`',
    text: 'Public address; it may have a path prefix. Browsers sign in at this address and at no other.',
  },
  TENANTS_DIR: { text: 'Folder of the tenant files.' },
  TENANTS_INTERVAL_SECONDS: {
    text: 'Seconds between two looks at the tenant files: a change [takes effect](maintenance.md#changed-tenants) at the second look. `0`: at SIGHUP only.',
  },
  DATA_DIR: {
    text: 'Folder for indexes, the store, demo images, keys and caches. In the image it is `/data`.',
  },
  SUPERGRAPH_FILE: {
    fallback: 'unset: the supergraph of this version',
    text: 'File with the supergraph, for [a schema with fewer fields](maintenance.md#the-supergraph). A change of the file is taken up without a restart.',
  },
  SEALING_KEY: {
    fallback: 'random at each start',
    text: 'Key of 32 characters or more that encrypts capabilities, links and shared state. A comma-separated list rotates keys: the first one encrypts, all of them decrypt.',
  },
  ALLOW_MOCK: { text: '`1` allows tenants without tokens on a public address.' },
  VIEWER_SERVERS: {
    text: '`own`: the [viewer](deployment.md#the-viewer) opens the tenants of this gateway only. `any`: people may add other servers, and trust one that launches it.',
  },
  DYN_TENANTS: {
    fallback: '`on` when `BASE_URL` is a localhost name, otherwise `off`',
    text: '`on` allows tenants in the URL (`/dyn/{base64url(JSON)}`).',
  },
  DYN_ALLOWED_HOSTS: {
    text: 'Private hosts (`name` or `name:port`, comma-separated) that such a tenant may reach. Public hosts are always allowed.',
  },
  HTTPS_PROXY: {
    text: 'Proxy for calls to EHRs and archives by `https`, such as `http://user:password@proxy:3128`; see [networks](networks.md#networks). Lower case works too, as for the next two.',
  },
  HTTP_PROXY: { text: 'Proxy for such calls by `http`.' },
  NO_PROXY: {
    text: 'Hosts that are called directly: names (those below them too), addresses or networks, comma-separated, each with an optional port; `*` for all. Loopback is always called directly.',
  },
  TRUSTED_PROXIES: {
    text: 'Addresses or networks of the proxies in front of the gateway, such as `10.0.0.0/8`. Their `X-Forwarded-For` is used to count the requests and failures of each client. Behind a proxy that is not listed here, all clients count as one.',
  },
  ACCEL: {
    text: '`nginx` lets an nginx in front of the gateway fetch images from archives itself, after the gateway has authorized the request: [bytes by the proxy](several-processes.md#bytes-by-the-proxy).',
  },
  ACCEL_KEY: {
    text: '32 characters or more. That nginx sends it with each request; others get their images from the gateway. `ACCEL` needs it.',
  },
  CLINICAL_URL: {
    fallback: 'unset: in this process',
    text: 'Address of the process of the clinical record, without a path, for [a gateway in three processes](several-processes.md#three-processes). It is the same for all of them, and so is `SEALING_KEY`, which is then required.',
  },
  IMAGING_URL: {
    fallback: 'unset: in this process',
    text: 'Address of the process of the images. It is set together with `CLINICAL_URL`.',
  },
  REDIS_URL: {
    text: '`redis://` or `rediss://`: the state that several gateways share (sign-ins, tokens, keys, links, rates, answers of EHRs and image sources), encrypted with `SEALING_KEY`. `SEALING_KEY` is then required and has to be the same for all gateways.',
  },
  OPERATOR_KEY: {
    text: '32 characters or more. It is the bearer token of `GET /{tenant}/self-test`. Without it the route does not exist.',
  },
  DIMSE_PORT: { text: 'Port for C-MOVE deliveries, on `HOST`. It is open from the first C-MOVE on.' },
  DIMSE_TLS_CERT: {
    text: 'PEM file of the certificate of that port: it then speaks [TLS](networks.md#networks), and nothing else.',
  },
  DIMSE_TLS_KEY: { text: 'PEM file of its private key, without a passphrase.' },
  DIMSE_TLS_CA: {
    text: 'PEM file of authorities: that port then accepts only archives with a certificate of one of them.',
  },
  DIMSE_CACHE_MB: {
    text: 'Megabytes below `DATA_DIR` for studies that were retrieved by DIMSE. The least recently used ones are deleted first.',
  },
  EXPORT_MB: {
    text: 'Megabytes below `DATA_DIR` for the files of exports (`$export`). Above it, exports are refused or fail.',
  },
  EXPORT_HOURS: { text: 'Hours after which the files of an export are removed.' },
  WORKERS: {
    text: 'Processes that share the port, for [a machine with several cores](several-processes.md#several-processes).',
  },
  METRICS_PORT: {
    fallback: 'unset: `/metrics` is on the main port',
    text: 'A separate port on `HOST` for `/metrics`.',
  },
  SHUTDOWN_DELAY_SECONDS: {
    text: 'Seconds after SIGTERM during which the gateway still answers while `/health/ready` says 503. After that it refuses new connections and gives open requests 20 s to finish. SIGINT (Ctrl-C) skips the delay; a second signal ends the process at once.',
  },
  MAX_IN_FLIGHT: {
    text: 'Requests that are worked on at one time. Further ones are 503 with `Retry-After`. Ten answers that are being streamed count as one request.',
  },
  MAX_EVENT_LOOP_DELAY_MS: {
    text: 'Mean delay of the event loop, over a second, above which requests are 503 with `Retry-After`.',
  },
  GRAPH_EXECUTOR: {
    text: '`apollo` plans and executes every GraphQL operation with `@apollo/gateway`, to [compare](troubleshooting.md#doubts-about-an-answer) its answers with those of `compiled`. `@defer` is then answered whole.',
  },
  SLOW_OPERATION_MS: { text: 'Milliseconds from which on a GraphQL operation is logged as slow.' },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    fallback: 'unset: no traces',
    text: 'Base URL of a collector that takes OTLP over HTTP, such as `http://collector:4318`: [traces](monitoring.md#traces) are exported to `/v1/traces` below it.',
  },
  OTEL_SERVICE_NAME: { text: 'Name of this service in traces.' },
  OTEL_TRACES_SAMPLER_ARG: {
    text: 'Part of the traces that is exported, from 0 to 1. A request that continues a trace is exported if its caller says so in `traceparent`.',
  },
  LOG_FORMAT: {
    fallback: '`text` in a terminal, `json` elsewhere',
    text: 'Format of the log: `json`, or `text` for people, without colours if `NO_COLOR` is set. Audit records are always JSON. Set to `json`, standard output has nothing else: the lines that `npm start` prints for people are part of the log, or left out.',
  },
  LOG_LEVEL: { text: 'Level of the log (pino).' },
};
