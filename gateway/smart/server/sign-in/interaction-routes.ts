import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { EHR_CALLBACK } from '../ehr-login/ehr-client.ts';
import { NoInteraction, type Step } from './interaction.ts';
import { counted, shownErrors } from '../oauth-answers.ts';
import { page, pageHeaders } from './page.ts';
import { queryOf, refuseCrossSite, text } from '../request.ts';
import type { Served } from '../server.ts';

/**
 * Returns the routes of the sign-in pages, and of the redirect URI for an EHR.
 * @param served returns the authorization server of a request's tenant
 */
export function interactionRoutes(
  served: (request: FastifyRequest) => Promise<Served>,
  baseUrl: string,
): FastifyPluginAsync {
  const { origin } = new URL(baseUrl);
  return async (app) => {
    const others = shownErrors(baseUrl);
    const errorHandler: typeof others = (error, request, reply) =>
      error instanceof NoInteraction ? gone(reply) : others(error, request, reply);
    const shown = { config: { open: true, api: 'oauth' as const }, errorHandler };
    interface Interaction {
      Params: { uid: string };
    }

    app.get<Interaction>('/oauth/interaction/:uid', shown, async (request, reply) => {
      const { steps } = await served(request);
      return stepped(reply, () => steps.show(request.params.uid, request.raw, reply.raw));
    });

    app.post<Interaction>('/oauth/interaction/:uid', shown, async (request, reply) => {
      const own = await served(request);
      const { raw, params } = request;
      return counted(own, { request, reply }, {}, async () => {
        refuseCrossSite(request, origin);
        const form = new URLSearchParams(await text(raw));
        return stepped(reply, () => own.steps.answer(params.uid, form, raw, reply.raw));
      });
    });

    // The redirect of the EHR comes here, and goes on to the interaction, whose cookie is only for its path.
    app.get(`/oauth${EHR_CALLBACK}`, shown, async (request, reply) => {
      const own = await served(request);
      const callback = async () => ({ location: await own.steps.callback(queryOf(request)) });
      return counted(own, { request, reply }, {}, () => stepped(reply, callback));
    });

    app.get<Interaction>('/oauth/interaction/:uid/returned', shown, async (request, reply) => {
      const own = await served(request);
      const { raw, params } = request;
      const returned = () => own.steps.returned(params.uid, queryOf(request), raw, reply.raw);
      return counted(own, { request, reply }, {}, () => stepped(reply, returned));
    });
  };
}

/** Answers with a page of the sign-in, or with a redirect to the next one. */
async function stepped(reply: FastifyReply, step: () => Promise<Step>): Promise<FastifyReply> {
  const next = await step();
  if ('location' in next) {
    // URLs on this way contain the answer of the EHR.
    return reply.header('referrer-policy', 'no-referrer').redirect(next.location, 303);
  }
  return reply
    .code(next.status ?? 200)
    .headers(pageHeaders(next.redirectUri))
    .send(next.html);
}

function gone(reply: FastifyReply): FastifyReply {
  const text =
    '<p>This sign-in has ended or was begun in another browser. Go back to the app and start again.';
  return reply.code(400).headers(pageHeaders()).send(page('This sign-in has ended', text));
}
