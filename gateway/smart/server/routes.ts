import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { helpUrl } from '../../../schema/fault/fault-help.ts';
import { nothingAtPath } from '../../../schema/fault/refusals.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { faultHandler } from '../../http/fault-reply.ts';
import { isOwn } from '../discovery/ehr-configuration.ts';
import { interactionRoutes } from './sign-in/interaction-routes.ts';
import { counted, invalidToken, requireAdmitted, requireOwnToken } from './oauth-answers.ts';
import { protocolRoutes } from './protocol-routes.ts';
import { localPage, register, requireRegistration } from './clients/registration.ts';
import { json } from './request.ts';
import type { AuthorizationServer, Served } from './server.ts';
import { PATHS } from './endpoints.ts';

const launchBody = z.strictObject({
  patient: z.string().regex(FHIR_ID),
  encounter: z.string().regex(FHIR_ID).optional(),
  need_patient_banner: z.boolean().default(true),
});

/**
 * Returns the routes `/oauth/…` of tenants with our own authorization server. Parts of SMART are answered here, the OAuth
 * protocol by `oidc-provider`. Errors have the form of OAuth (RFC 6749 §5.2), or are a page for a person's browser.
 * @param baseUrl public base of the whole server, for links and cookies; headers of clients do not count
 */
export function oauthRoutes(server: AuthorizationServer, baseUrl: string): FastifyPluginAsync {
  const { origin } = new URL(baseUrl);
  const served = async ({ tenant }: FastifyRequest): Promise<Served> => {
    if (isOwn(tenant.authorization)) return server.of(tenant);
    throw new Fault('not_found', 'This tenant does not use the authorization server of this gateway.');
  };

  return async (app) => {
    // The provider reads bodies itself.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.setErrorHandler(faultHandler(baseUrl, 'oauth'));
    const open = { config: { open: true, api: 'oauth' as const } };

    await app.register(interactionRoutes(served, baseUrl));
    await app.register(protocolRoutes(served, baseUrl));

    app.post('/oauth/launch', open, async (request, reply) => {
      const own = await served(request);
      if (request.tenant.authorization.type !== 'embedded') {
        throw new Fault('not_found', 'Apps of this tenant are launched by its EHR.');
      }
      requireAdmitted(own, request);
      return counted(own, { request, reply }, {}, async () => {
        const parsed = launchBody.safeParse(await json(request));
        if (!parsed.success)
          throw new Fault('invalid_request', 'The body of a launch is {"patient": id, "encounter": id}.');
        const { patient, encounter, need_patient_banner: needPatientBanner } = parsed.data;
        const context = { patient, ...(encounter && { encounter }), needPatientBanner };
        const launch = await own.contexts.begin(context);
        return reply.code(201).send({ launch });
      });
    });

    app.post(`/oauth${PATHS.registration}`, open, async (request, reply) => {
      const own = await served(request);
      requireRegistration(server.registration, request.tenant);
      const page = localPage(request, origin);
      requireAdmitted(own, request);
      const asked = { body: await json(request), page };
      const answer = await register(own, server.state, asked, Math.floor(Date.now() / 1000));
      if (answer.status !== 201) answer.body.error_uri = helpUrl(baseUrl, answer.body.error);
      return reply.code(answer.status).send(answer.body);
    });

    app.route({
      ...open,
      method: ['GET', 'POST'],
      url: `/oauth${PATHS.userinfo}`,
      handler: async (request, reply) => {
        const own = await served(request);
        const token = await requireOwnToken(own, request);
        if (!token.sub) throw invalidToken();
        const scopes = token.scope?.split(' ') ?? [];
        if (!scopes.includes('openid')) {
          throw new Fault('insufficient_scope', 'The token does not have the scope openid.', {
            scope: 'openid',
          });
        }
        const { sub, fhirUser } = token;
        const name = scopes.includes('profile') ? (await own.user(sub))?.name : undefined;
        const claims = { sub, ...(fhirUser && { fhirUser }), name };
        return reply.send(claims);
      },
    });

    // The same document as at the root of the host (RFC 8414).
    for (const name of ['openid-configuration', 'oauth-authorization-server']) {
      app.get(`/oauth/.well-known/${name}`, open, async (request, reply) => {
        await served(request);
        const document = server.smartConfiguration(request.tenant);
        return setCacheControl(reply, 'public').type('application/json').send(document);
      });
    }

    app.get('/oauth/smart-style.json', open, async (request, reply) => {
      await served(request);
      return setCacheControl(reply, 'public').send(STYLE);
    });

    app.all('/oauth/*', open, async () => {
      throw nothingAtPath();
    });
  };
}

/** Colours of the demonstration (SMART App Launch 2.2 §4.1.7). */
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
