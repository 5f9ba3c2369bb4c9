/**
 * The imaging subgraph in a separate process, so that its memory can be measured alone. Takes `images` of a tenant as
 * JSON and a data folder. Writes its address, then for each line that it reads `{ rss, peak, delay }`: memory in MB,
 * and the delay of the event loop in milliseconds, p99; `peak` and `delay` are since the line before.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { imagingSubgraph } from '../../../subgraphs/imaging/app.ts';
import { fastify } from 'fastify';

const [images, dataDir] = process.argv.slice(2);
const file = {
  authorization: { type: 'mock', disableAuthzChecks: true },
  images: JSON.parse(images!) as unknown,
};
const origin = { key: 'bench', path: 'bench', dynamic: false, directory: '/', environment: {} };
const { tenant } = parseTenant(file, origin);
const now = () => Date.now() / 1000;

const app = fastify();
const imaging = imagingSubgraph({
  baseUrl: 'http://localhost',
  dataDir: dataDir!,
  now,
  log: app.log,
  directory: {
    read: () => Promise.resolve(undefined),
    find: () => Promise.resolve(undefined),
    accessionNumbers: () => Promise.resolve([]),
    labels: () => Promise.resolve(new Map()),
  },
});
const permissions = parseScopes('system/ImagingStudy.rs');
app.addHook('onRequest', async (request) => {
  request.tenant = tenant;
  request.access = { tenant: tenant.key, patients: 'all', permissions, expires: now() + 3600 };
});
await app.register(imaging.routes, { prefix: '/:tenant' });
const address = await app.listen({ port: 0, host: '127.0.0.1' });

const megabytes = () => process.memoryUsage.rss() / 1e6;
let peak = 0;
let sampling: NodeJS.Timeout | undefined;
const RESOLUTION = 2;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
delays.enable();
createInterface({ input: process.stdin })
  .on('line', () => {
    // The histogram records the time from one tick of a timer to the next.
    const delay = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION);
    const figures = { rss: megabytes(), peak: Math.max(peak, megabytes()), delay };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    peak = 0;
    // Sampling starts with the first question: it costs time itself.
    sampling ??= setInterval(() => (peak = Math.max(peak, megabytes())), 20).unref();
    delays.reset();
  })
  .on('close', () => process.exit(0));
process.stdout.write(`${address}\n`);
