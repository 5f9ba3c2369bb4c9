import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { CACHE_CONTROL } from '../../../schema/http/cache-control.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { namedClient } from './state/failures.ts';
import { counted, requireAdmitted, requireBearer, requireOwnToken, shownErrors } from './oauth-answers.ts';
import { describe, mayIntrospect } from './own-token.ts';
import { namesApp, presentsOurs } from './presented-secrets.ts';
import { replayed, withClientId } from './public-refresh.ts';
import { queryOf, text } from './request.ts';
import type { Served } from './server.ts';
import { PATHS } from './endpoints.ts';

/**
 * Returns the routes to endpoints of `oidc-provider`. Only these paths and methods of it can be reached.
 * @param served returns the authorization server of a request's tenant
 */
export function protocolRoutes(
  served: (request: FastifyRequest) => Promise<Served>,
  baseUrl: string,
): FastifyPluginAsync {
  const { host, protocol } = new URL(baseUrl);
  return async (app) => {
    const open = { config: { open: true, api: 'oauth' as const } };
    const shown = { ...open, errorHandler: shownErrors(baseUrl) };

    for (const path of [PATHS.token, PATHS.introspection, PATHS.revocation]) {
      app.post(`/oauth${path}`, open, async (request, reply) => {
        const own = await served(request);
        const body = await text(request.raw);
        const { authorization } = request.headers;
        const form = new URLSearchParams(body);
        const asker = {
          client: namedClient(authorization, form),
          isNoGuess: () => presentsOurs(own, path, authorization, form),
        };
        return counted(own, { request, reply }, asker, async () => {
          // The provider introspects for clients with client authentication, but answers 400 to a bearer token.
          if (path === PATHS.introspection && /^\s*bearer\b/i.test(authorization ?? '')) {
            return introspect(own, request, reply, form);
          }
          const silent = path === PATHS.token && authorization === undefined;
          return pass(own, { request, reply }, path, silent ? await withClientId(own, body) : body);
        });
      });
    }

    app.get(`/oauth${PATHS.authorization}`, shown, async (request, reply) => {
      const own = await served(request);
      requireAdmitted(own, request);
      const query = queryOf(request);
      const path = `${PATHS.authorization}?${query.toString()}${consentFor(query)}`;
      const asker = { client: query.get('client_id') ?? '', isNoGuess: () => namesApp(own, query) };
      return counted(own, { request, reply }, asker, () => pass(own, { request, reply }, path));
    });

    app.get<{ Params: { uid: string } }>(
      `/oauth${PATHS.authorization}/:uid`,
      shown,
      async (request, reply) => {
        const path = `${PATHS.authorization}/${encodeURIComponent(request.params.uid)}`;
        return pass(await served(request), { request, reply }, path);
      },
    );

    // Used when another user has signed in in this browser meanwhile.
    app.post(`/oauth${SIGN_OUT}`, shown, async (request, reply) => {
      const own = await served(request);
      return pass(own, { request, reply }, SIGN_OUT, await text(request.raw));
    });

    app.get(`/oauth${PATHS.jwks}`, open, async (request, reply) =>
      pass(await served(request), { request, reply }, PATHS.jwks),
    );
  };

  /** Passes a request to the provider with the path below the issuer and our public host. */
  async function pass(
    own: Served,
    { request, reply }: { request: FastifyRequest; reply: FastifyReply },
    path: string,
    body?: string,
  ): Promise<FastifyReply> {
    const raw = request.raw as IncomingMessage & { originalUrl?: string };
    reply.hijack();
    // Pages of the provider have their own policy, and its answers their own CORS headers.
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined && !/^(content-security-policy|access-control-)/.test(name))
        reply.raw.setHeader(name, value);
    const kind = path === PATHS.jwks ? 'public' : 'noStore';
    reply.raw.setHeader('cache-control', CACHE_CONTROL[kind]);
    raw.url = path;
    raw.originalUrl = new URL(own.issuer).pathname + path;
    raw.headers['x-forwarded-host'] = host;
    raw.headers['x-forwarded-proto'] = protocol.slice(0, -1);
    await own.callback(body === undefined ? raw : replayed(raw, body), reply.raw);
    return reply;
  }
}

/** Path of the provider's sign-out, below the issuer. */
const SIGN_OUT = '/session/end/confirm';

/** Answers introspection for callers with a bearer token of ours (RFC 7662 §2.1). */
async function introspect(
  own: Served,
  request: FastifyRequest,
  reply: FastifyReply,
  form: URLSearchParams,
): Promise<FastifyReply> {
  await requireOwnToken(own, request);
  if (!(await mayIntrospect(own, requireBearer(request)))) {
    throw new Fault('insufficient_scope', 'Only backend services may introspect tokens.', {
      scope: 'system/Patient.read',
    });
  }
  const asked = form.getAll('token');
  if (asked.length !== 1) throw new Fault('invalid_request', 'Send one form field `token`.');
  const answer = (await describe(own, asked[0]!)) ?? { active: false };
  return reply.send(answer);
}

/** Returns `prompt=consent` for `offline_access`, which OpenID Connect drops without it. Consent is requested in any case. */
function consentFor(query: URLSearchParams): string {
  const isOffline = query.get('scope')?.split(' ').includes('offline_access');
  return isOffline && !query.has('prompt') ? '&prompt=consent' : '';
}
