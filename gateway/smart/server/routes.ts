import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { Fault } from '../../../schema/fault.ts';
import { FHIR_ID } from '../../../schema/fhir.ts';
import { bearerToken } from '../bearer.ts';
import { isOwn } from '../smart-configuration.ts';
import { askingForConsent } from './asking-for-consent.ts';
import { EHR_CALLBACK } from './ehr-client.ts';
import { NoInteraction, type Step } from './interaction.ts';
import { describe, mayIntrospect } from './own-token.ts';
import { page, pageHeaders } from './page.ts';
import { replayed, withClientId } from './public-refresh.ts';
import { register } from './registration.ts';
import type { AuthorizationServer, Served } from './server.ts';
import { PATHS } from './settings.ts';

const LONGEST_BODY = 16 * 1024;

const launchBody = z.strictObject({
  patient: z.string().regex(FHIR_ID),
  encounter: z.string().regex(FHIR_ID).optional(),
  need_patient_banner: z.boolean().default(true),
});

/**
 * `/oauth/…` of the tenants whose authorization server we are. What the SMART pages need is answered here, the protocol
 * itself by `oidc-provider`.
 * @param baseUrl public base of the whole server: what links and cookies go by, whatever a client's headers say
 */
export function oauthRoutes(server: AuthorizationServer, baseUrl: string): FastifyPluginAsync {
  const { origin, host, protocol } = new URL(baseUrl);
  const served = async ({ tenant }: FastifyRequest): Promise<Served> => {
    if (isOwn(tenant.authorization)) return server.of(tenant);
    throw new Fault('not_found', 'This tenant has no authorization server of its own.');
  };

  return async (app) => {
    // The provider reads bodies itself.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const open = { config: { open: true } };

    for (const method of ['GET', 'POST'] as const) {
      app.route<{ Params: { uid: string } }>({
        ...{ ...open, method, url: '/oauth/interaction/:uid' },
        handler: async (request, reply) => {
          const { steps } = await served(request);
          if (method === 'POST') refuseCrossSite(request, origin);
          const { raw, params } = request;
          return stepped(reply, () =>
            method === 'GET'
              ? steps.show(params.uid, raw, reply.raw)
              : text(raw).then((body) => steps.answer(params.uid, new URLSearchParams(body), raw, reply.raw)),
          );
        },
      });
    }

    // What the EHR sends back comes here, and on to the interaction, whose cookie is for its own path.
    app.get(`/oauth${EHR_CALLBACK}`, open, async (request, reply) => {
      const { steps } = await served(request);
      return stepped(reply, async () => ({ location: await steps.callback(queryOf(request)) }));
    });

    app.get<{ Params: { uid: string } }>('/oauth/interaction/:uid/returned', open, async (request, reply) => {
      const { steps } = await served(request);
      const { raw, params } = request;
      return stepped(reply, () => steps.returned(params.uid, queryOf(request), raw, reply.raw));
    });

    app.post('/oauth/launch', open, async (request, reply) => {
      const { admits, contexts, tenant } = await served(request);
      if (tenant.authorization.type !== 'embedded') {
        throw new Fault('not_found', 'Apps of this tenant are launched by its EHR.');
      }
      if (!admits()) throw busy();
      const parsed = launchBody.safeParse(json(await text(request.raw)));
      if (!parsed.success)
        throw new Fault('invalid_request', 'A launch reads {"patient": id, "encounter": id}.');
      const { patient, encounter, need_patient_banner: needPatientBanner } = parsed.data;
      const launch = await contexts.begin({ patient, ...(encounter && { encounter }), needPatientBanner });
      return reply.code(201).header('cache-control', 'no-store').send({ launch });
    });

    app.post(`/oauth${PATHS.registration}`, open, async (request, reply) => {
      const own = await served(request);
      const launch = request.tenant.authorization.modes.includes('app-launch');
      if (!server.registration || !launch) {
        throw new Fault('not_found', 'Clients of this tenant are registered in its file.');
      }
      if (!own.admits()) throw busy();
      const body = json(await text(request.raw));
      const answer = await register(own, server.state, body, Math.floor(Date.now() / 1000));
      return reply.code(answer.status).header('cache-control', 'no-store').send(answer.body);
    });

    app.route({
      ...{ ...open, method: ['GET', 'POST'], url: `/oauth${PATHS.userinfo}` },
      handler: async (request, reply) => {
        const own = await served(request);
        const token = await describe(own, requireBearer(request));
        if (!token?.sub) throw invalidToken();
        const scopes = token.scope?.split(' ') ?? [];
        if (!scopes.includes('openid')) {
          throw new Fault('insufficient_scope', 'The token is not for openid.', { scope: 'openid' });
        }
        const { sub, fhirUser } = token;
        return reply.header('cache-control', 'no-store').send({ sub, ...(fhirUser && { fhirUser }) });
      },
    });

    app.post(`/oauth${PATHS.introspection}`, open, async (request, reply) => {
      const own = await served(request);
      // Client-authenticated questions are the provider's; it answers a bearer token with 400.
      if (!/^\s*bearer\b/i.test(request.headers.authorization ?? '')) return pass(own, request, reply);
      const bearer = requireBearer(request);
      if (!(await describe(own, bearer))) throw invalidToken();
      if (!(await mayIntrospect(own, bearer))) {
        throw new Fault('insufficient_scope', 'Backend services may ask about tokens, apps may not.', {
          scope: 'system/Patient.read',
        });
      }
      const asked = new URLSearchParams(await text(request.raw)).getAll('token');
      if (asked.length !== 1) throw new Fault('invalid_request', 'Send one token as a form field.');
      return reply
        .header('cache-control', 'no-store')
        .send((await describe(own, asked[0]!)) ?? { active: false });
    });

    app.get('/oauth/smart-style.json', open, async (request, reply) => {
      await served(request);
      return reply.header('cache-control', 'public, max-age=3600').send(STYLE);
    });

    app.all('/oauth/*', open, async (request, reply) => {
      const own = await served(request);
      const path = pathOf(request);
      const [endpoint] = path.split('?');
      if (endpoint === PATHS.token && request.method === 'POST' && !request.headers.authorization) {
        const body = await withClientId(own, await text(request.raw));
        return pass(own, request, reply, path, body);
      }
      if (endpoint !== PATHS.authorization) return pass(own, request, reply);
      if (!own.admits()) throw busy();
      return pass(own, request, reply, askingForConsent(path));
    });
  };

  /** Hands a request to the provider, which sees its own path and our public address. */
  async function pass(
    own: Served,
    request: FastifyRequest,
    reply: FastifyReply,
    path = pathOf(request),
    body?: string,
  ): Promise<FastifyReply> {
    const raw = request.raw as IncomingMessage & { originalUrl?: string };
    reply.hijack();
    // The provider's own pages carry their own policy.
    reply.raw.removeHeader('content-security-policy');
    raw.url = path;
    raw.originalUrl = new URL(own.issuer).pathname + path;
    raw.headers['x-forwarded-host'] = host;
    raw.headers['x-forwarded-proto'] = protocol.slice(0, -1);
    await own.callback(body === undefined ? raw : replayed(raw, body), reply.raw);
    return reply;
  }
}

/** Answers with a page of the sign-in, or with where it goes on. */
async function stepped(reply: FastifyReply, step: () => Promise<Step>): Promise<FastifyReply> {
  try {
    const next = await step();
    if ('location' in next) {
      // What an EHR has answered stands in addresses on this way.
      return reply
        .headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
        .redirect(next.location, 303);
    }
    return reply.headers(pageHeaders(next.redirectUri)).send(next.html);
  } catch (error) {
    if (!(error instanceof NoInteraction)) throw error;
    const gone =
      '<p>This sign-in has ended or was begun in another browser. Go back to the app and start again.';
    return reply.code(400).headers(pageHeaders()).send(page('This sign-in has ended', gone));
  }
}

const queryOf = ({ raw }: FastifyRequest) => new URLSearchParams(/\?(.*)$/.exec(raw.url ?? '')?.[1] ?? '');

/** What follows `/{tenant}/oauth`, the query included. */
function pathOf({ raw }: FastifyRequest): string {
  return /^\/(?:dyn\/)?[^/?]+\/oauth(\/.*)?$/.exec(raw.url ?? '')?.[1] ?? '/';
}

/** Colours of the demonstration, SMART App Launch 2.2 §4.1.7. */
const STYLE = {
  color_background: '#ffffff',
  color_error: '#b3261e',
  color_highlight: '#0a58a5',
  color_modal_backdrop: '#16202a',
  color_success: '#1b7f4b',
  color_text: '#16202a',
  dim_border_radius: '8px',
  dim_font_size: '16px',
  dim_spacing_size: '16px',
  font_family_body: 'system-ui, sans-serif',
  font_family_heading: 'system-ui, sans-serif',
};

/** A form of ours comes from a page of ours; the cookie (SameSite=Lax) and the address say so too. */
function refuseCrossSite({ headers }: FastifyRequest, origin: string): void {
  const from = headers.origin;
  const site = headers['sec-fetch-site'];
  const foreign =
    (from !== undefined && from !== origin) || (site !== undefined && !SAME_SITE.includes(String(site)));
  if (foreign) throw new Fault('forbidden', 'This form was sent from another site.');
}

const SAME_SITE = ['same-origin', 'none'];

function requireBearer({ raw }: FastifyRequest): string {
  const token = bearerToken(raw);
  if (token === undefined) throw new Fault('unauthenticated', 'An access token is needed.');
  return token;
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > LONGEST_BODY) throw new Fault('too_large', 'The body is too long.');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function json(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw new Fault('invalid_request', 'The body is not JSON.');
  }
}

const invalidToken = () => new Fault('invalid_token', 'The access token is expired, revoked, or not ours.');
const busy = () =>
  new Fault('too_many_requests', 'Too many sign-ins are under way; try again in a moment.', {
    retryAfter: 2,
  });
