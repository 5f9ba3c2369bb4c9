import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  Fault,
  faultExtensions,
  faultHeaders,
  faultJson,
  faultOauth,
  faultOutcome,
  toFault,
} from '../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../schema/fhir/fhir.ts';
import type { Api } from '../../schema/http/served.ts';
import { resourceMetadataUrl, tenantBase } from '../../schema/http/request.ts';
import { logFault } from '../../schema/fault/log-fault.ts';

/** How a face writes a fault. */
export type FaultStyle = 'json' | 'fhir' | 'graphql' | 'oauth';

const BODIES: Record<FaultStyle, (fault: Fault) => { type: string; body: unknown }> = {
  json: (fault) => ({ type: 'application/json', body: faultJson(fault) }),
  fhir: (fault) => ({ type: FHIR_JSON, body: faultOutcome(fault) }),
  oauth: (fault) => ({ type: 'application/json', body: faultOauth(fault) }),
  graphql: (fault) => ({
    type: 'application/json',
    body: { errors: [{ message: fault.message, extensions: faultExtensions(fault) }] },
  }),
};

/** Sends a fault with its status, challenge and body (SM-12). */
export function sendFault(
  baseUrl: string,
  style: FaultStyle,
  fault: Fault,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  logFault(request.log, fault, {}, 'a request failed');
  const { tenant } = request as { tenant?: FastifyRequest['tenant'] };
  const realm = tenant ? tenantBase(baseUrl, tenant) : baseUrl;
  const { type, body } = BODIES[style](fault);
  return reply.code(fault.status).headers(faultHeaders(fault, realm)).type(type).send(JSON.stringify(body));
}

/** An error handler for a face of the gateway. */
export function faultHandler(baseUrl: string, style: FaultStyle) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendFault(baseUrl, style, toFault(error), request, reply);
}

const STYLES: Record<Api, FaultStyle> = {
  ...{ fhir: 'fhir', graphql: 'graphql', oauth: 'oauth' },
  ...{ dicomweb: 'json', page: 'json' },
};

/** The form of errors of the API whose route a request has met. */
export function styleOf({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): FaultStyle {
  return STYLES[routeOptions.config.api ?? 'page'];
}

/** Every bearer challenge, whichever face wrote it, names the tenant's metadata (SM-3, RFC 9728 §5.1). */
export function nameResourceMetadata(app: FastifyInstance, baseUrl: string): void {
  app.addHook('onSend', async ({ tenant }, reply) => {
    const challenge = reply.getHeader('www-authenticate');
    if (!tenant || typeof challenge !== 'string' || challenge.includes('resource_metadata=')) return;
    const metadata = resourceMetadataUrl(tenantBase(baseUrl, tenant));
    void reply.header('www-authenticate', `${challenge}, resource_metadata="${metadata}"`);
  });
}
