/** Every use of Redis while a real Redis is away, over a whole gateway: the table of docs/several-processes.md#several-gateways. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startSharedGateways, STUDIES, type SharedGateway, type SharedGateways } from './shared-gateways.ts';
import { patientRedis } from './setup/redis.ts';
import type { SharedRedis } from '../state/redis.ts';
import { timeAwake } from './setup/processor-time.ts';

/** Milliseconds within which each request is answered: half a second for Redis, and some for the rest. */
const BOUND = 3000;

let all: SharedGateways;
let gateway: SharedGateway;
/** Sends commands of the operator; opened for each. */
async function operate(work: (client: SharedRedis['client']) => Promise<unknown>): Promise<void> {
  const operator = patientRedis(all.redis);
  await work(operator.client);
  operator.close();
}

beforeAll(async () => {
  all = await startSharedGateways(1);
  [gateway] = all.gateways as [SharedGateway];
  // The first requests start threads.
  await statuses(await before());
}, 120_000);
afterAll(() => all.close());

type Fault = 'stopped' | 'frozen' | 'full' | 'read-only';
const FAULTS: Record<Fault, { begin(): unknown; end(): unknown }> = {
  stopped: { begin: () => all.redis.stop(), end: () => all.restartRedis() },
  frozen: { begin: () => all.redis.freeze(), end: () => all.redis.thaw() },
  full: {
    begin: () => operate((client) => client.config('SET', 'maxmemory', '1')),
    end: () => operate((client) => client.config('SET', 'maxmemory', '0')),
  },
  'read-only': {
    begin: () => operate((client) => client.replicaof('127.0.0.1', 1)),
    end: () => operate((client) => client.replicaof('NO', 'ONE')),
  },
};

/** Tokens and links that were made before a fault. */
interface Before {
  ownToken: string;
  link: string;
}

let made = 0;
const token = () => all.give(`token-${made++}`);
const path = `studies/${STUDIES[0]}`;
const newLink = () => gateway.ask('/smart/wado/links', { token: token(), json: { path } });

/**
 * Uses of Redis: how each is asked, and its status while Redis is there and away; another one where it can still be read. A
 * read-only Redis is connected again from time to time, because it may be the wrong one: reads fail for that moment.
 */
const USES: readonly {
  use: string;
  ask(before: Before): Promise<{ status: number; headers: Record<string, unknown> }>;
  there: number;
  away: number;
  full?: number;
  'read-only'?: unknown;
}[] = [
  {
    use: 'a token of the EHR, with a search of images',
    ask: () => gateway.ask('/smart/dicomweb/studies', { token: token() }),
    there: 200,
    away: 200,
  },
  {
    use: 'a token that the EHR does not know',
    ask: () => gateway.ask('/smart/dicomweb/studies', { token: `unknown-${made++}` }),
    there: 401,
    away: 401,
  },
  {
    use: 'the owner of a study, and its metadata',
    ask: () => gateway.ask(`/smart/dicomweb/${path}/metadata`, { token: token() }),
    there: 200,
    away: 200,
  },
  {
    use: 'when studies were first seen',
    ask: () => gateway.ask('/smart/fhir/ImagingStudy?_lastUpdated=gt2020-01-01', { token: token() }),
    there: 200,
    away: 200,
  },
  {
    use: 'a token of our own authorization server',
    ask: ({ ownToken }) => gateway.ask('/own/dicomweb/studies', { token: ownToken }),
    there: 200,
    away: 503,
    full: 200,
    'read-only': expect.toBeOneOf([200, 503]),
  },
  {
    use: 'a new token of our own authorization server',
    ask: () => gateway.ask('/own/oauth/token', { form: all.clientForm }),
    there: 200,
    away: 503,
  },
  { use: 'a new link', ask: newLink, there: 201, away: 503 },
  { use: 'a link', ask: ({ link }) => gateway.ask(link), there: 200, away: 503, full: 200 },
  {
    use: 'a rate that is not used up',
    ask: () => gateway.ask('/counted/dicomweb/studies', { from: `192.0.2.${made++ % 250}` }),
    there: 200,
    away: 200,
  },
];

async function before(): Promise<Before> {
  const link = new URL(String((await newLink()).json['url'])).pathname;
  return { ownToken: await all.ownToken(gateway), link };
}

/** Asks for every use at once. */
async function statuses(made: Before) {
  return Promise.all(
    USES.map(async ({ use, ask }) => {
      let answer!: Awaited<ReturnType<typeof ask>>;
      const inTime = (await timeAwake(async () => (answer = await ask(made)))) < BOUND;
      const { status, headers } = answer;
      const saysWhen = (status === 503) === (headers['retry-after'] !== undefined);
      return { use, status, saysWhen, inTime };
    }),
  );
}

async function reported() {
  const { status, json } = await gateway.ask('/health/ready');
  const metric = /^shared_state_reachable (\d)$/m.exec((await gateway.ask('/metrics')).text)?.[1];
  return [status, json['status'], json['sharedState'], metric];
}
const THERE = [200, 'ready', 'reachable', '1'];
const AWAY = [200, 'ready', 'unreachable', '0'];

test.each(Object.keys(FAULTS) as Fault[])(
  'while Redis is %s',
  async (fault) => {
    const expected = (isAway: boolean) =>
      USES.map(({ use, there, away, ...own }) => {
        const status = isAway ? ((own as Partial<Record<Fault, unknown>>)[fault] ?? away) : there;
        return { use, status, saysWhen: true, inTime: true };
      });
    // On a loaded machine Redis may not answer in its half second: then it is away for a moment.
    const isThere = async () => {
      expect(await reported()).toEqual(THERE);
      expect(await statuses(await before())).toEqual(expected(false));
    };
    await vi.waitFor(isThere, 10_000);

    const made = [await before(), await before()] as const;
    await FAULTS[fault].begin();
    expect(await statuses(made[0])).toEqual(expected(true));
    await vi.waitFor(async () => expect(await reported()).toEqual(AWAY), 10_000);
    expect(await statuses(made[1])).toEqual(expected(true));
    const counted = async () =>
      (await gateway.ask('/counted/dicomweb/studies', { from: `198.51.100.${fault.length}` })).status;
    expect([await counted(), await counted(), await counted()]).toEqual([200, 200, 429]);
    await gateway.sweep();

    await FAULTS[fault].end();
    await vi.waitFor(async () => expect(await reported()).toEqual(THERE), 10_000);
    await vi.waitFor(isThere, 10_000);
  },
  60_000,
);
