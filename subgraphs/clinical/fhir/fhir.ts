import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { asFhir, fhirRoute, readOnlyForms, refuseMethods } from '../../../schema/fhir/fhir-request.ts';
import { faultHandler } from '../../../schema/http/fault-reply.ts';
import { history, read, search, searchCompartment, vread, type FhirRoutesOptions } from './interactions.ts';

const SEARCH = fhirRoute('search');
const READ = fhirRoute('read');
const COMPARTMENT = fhirRoute('search', undefined, { path: 'id' });

/** Answers requests of one interaction. */
type Interaction = (options: FhirRoutesOptions, request: never, reply: FastifyReply) => Promise<FastifyReply>;

/** Paths below `/fhir`, with what answers GET and, as a form, POST (R4 §3.1.0). The last member of a path refuses the rest. */
const PATHS = [
  { url: '/:type', route: SEARCH, get: search },
  { url: '/:type/_search', route: SEARCH, post: search },
  { url: '/:type/:id', route: READ, get: read },
  { url: '/:type/:id/_history', route: READ, get: history },
  { url: '/:type/:id/_history/:version', route: READ, get: vread },
  { url: '/Patient/:id/:type(^[A-Z][A-Za-z]+$|^\\*$)', route: COMPARTMENT, get: searchCompartment },
  { url: '/Patient/:id/:type/_search', route: COMPARTMENT, post: searchCompartment },
] as const satisfies readonly { url: string; route: object; get?: Interaction; post?: Interaction }[];

/** Returns the routes of FHIR REST for the clinical record: reads, versions, searches by GET and POST. */
export function fhirRoutes(options: FhirRoutesOptions): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler(faultHandler({ baseUrl: options.baseUrl, render: asFhir }));
    readOnlyForms(app);
    for (const { url, route, ...answers } of PATHS) {
      const handler = ('get' in answers ? answers.get : answers.post) as Interaction;
      const method = 'get' in answers ? 'GET' : 'POST';
      app.route({
        ...route,
        method,
        url: `/fhir${url}`,
        // eslint-disable-next-line no-restricted-syntax -- the parameters of a path are known by its text
        handler: (request, reply) => handler(options, request as never, reply),
      });
    }
    for (const { url, route, ...answers } of PATHS) {
      if (!('get' in answers)) continue;
      // All other methods at these paths answer 405.
      const methods = (['POST', 'PUT', 'PATCH', 'DELETE'] as const).slice();
      const refusal = { allow: 'GET, HEAD', message: 'The record is read-only here.' };
      refuseMethods(app, { url: `/fhir${url}`, methods, route }, refusal);
    }
  };
}
