import type { FastifyPluginAsync } from 'fastify';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { PassOn } from '../http/authorization-hook.ts';
import type { Readiness } from '../http/health.ts';
import { unlessFault } from '../smart/discovery/smart-configuration.ts';
import { expiringCache } from '../smart/token/expiring-cache.ts';
import type { People } from '../smart/server/sign-in/demonstration.ts';
import type { Person } from '../smart/server/sign-in/identify.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { sendPage } from './html-page.ts';
import { ifSoon } from './page-facts.ts';
import type { Reachable } from './reachable.ts';
import { leadOf, needsOthers, startPageText } from './start-page-text.ts';
import { offerOf, visitorTokens } from './visitor-token.ts';

export interface StartPageOptions {
  baseUrl: string;
  version: string;
  /** True when `/metrics` is on this port. */
  metrics: boolean;
  /** Without it, nothing is known of other servers. */
  reachable?: Reachable | undefined;
  /** Without it, the page names no people. */
  people?: People | undefined;
  readiness: Pick<Readiness, 'loading' | 'awaySources'>;
  passOn?: PassOn | undefined;
}

/** Seconds for which the people of a record are kept. */
const PEOPLE_SECONDS = 60;
/** Milliseconds that the page waits for them: the record may still be loaded. */
const PEOPLE_PATIENCE = 1000;
/** Largest number of tenants whose servers are asked. */
const MOST_ASKED = 50;

/** Serves the start page at `/`. A visit asks other servers at most for what nobody has asked for a minute. */
export function startPage(tenants: Tenants, options: StartPageOptions): FastifyPluginAsync {
  const { readiness, reachable = async () => undefined, people = async () => [], passOn } = options;
  const known = expiringCache<readonly Person[]>(100, Date.now);
  const peopleOf = async (tenant: Tenant) =>
    known.get(tenant.cacheKey, async () => ({ value: await people(tenant), seconds: PEOPLE_SECONDS }));

  /** Returns true or false for each tenant that needs other servers, if it is known soon. */
  const reachedOf = async (others: readonly Tenant[]) => {
    const away = new Set(readiness.awaySources?.().map(({ tenant }) => tenant));
    const isReached = (tenant: Tenant) => (away.has(tenant.key) ? false : ifSoon(reachable(tenant)));
    return new Map(
      await Promise.all(others.map(async (tenant) => [tenant.key, await isReached(tenant)] as const)),
    );
  };

  return async (app) => {
    const tokenOf = visitorTokens(app, Date.now);
    app.get('/', async (request, reply) => {
      // The first process has the tokens of our own server.
      if (passOn && !passOn.isShared) {
        await passOn.to(request, reply);
        return reply;
      }
      const { all } = tenants;
      const offer = offerOf(all);
      const lead = leadOf(all, offer?.tenant);
      const [token, persons, reached] = await Promise.all([
        offer && tokenOf(offer),
        lead?.authorization.type === 'embedded'
          ? ifSoon(unlessFault(peopleOf(lead), []), PEOPLE_PATIENCE)
          : [],
        reachedOf(lead ? all.filter(needsOthers).slice(0, MOST_ASKED) : []),
      ]);
      const { html, parts } = startPageText({
        ...options,
        isReady: readiness.loading().length === 0,
        tenants: all,
        lead,
        reached,
        people: persons ?? [],
        visitor: offer && token !== undefined ? { ...offer, token } : undefined,
      });
      return sendPage(reply, html, parts, 'noStore');
    });
  };
}
