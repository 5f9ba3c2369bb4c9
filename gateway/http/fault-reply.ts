import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  faultExtensions,
  faultJson,
  faultJsonRpc,
  faultOauth,
  faultOutcome,
  type Fault,
} from '../../schema/fault/fault.ts';
import { asFhir } from '../../schema/fhir/fhir-request.ts';
import * as faultReply from '../../schema/http/fault-reply.ts';
import type { Api } from '../../schema/http/served.ts';
import { resourceMetadataUrl, tenantBase } from '../../schema/http/request.ts';

/** The form in which an API writes a fault. */
export type FaultStyle = 'json' | 'fhir' | 'graphql' | 'fhir-graphql' | 'mcp' | 'oauth';

const json =
  (write: (fault: Fault, help: string) => object): faultReply.FaultRenderer =>
  (fault, _request, help) => ({ type: 'application/json', body: JSON.stringify(write(fault, help)) });

const RENDERERS: Record<FaultStyle, faultReply.FaultRenderer> = {
  json: json(faultJson),
  fhir: asFhir,
  // RFC 6749 §5.2
  oauth: json((fault, help) => ({ ...faultOauth(fault), error_uri: help })),
  graphql: json((fault, help) => ({
    errors: [{ message: fault.message, extensions: { ...faultExtensions(fault), help } }],
  })),
  mcp: json(faultJsonRpc),
  // FHIR R4 §3.2.0.1, "Error Handling"
  'fhir-graphql': json((fault, help) => {
    const extensions = { ...faultExtensions(fault), help, resource: faultOutcome(fault) };
    return { errors: [{ message: fault.message, extensions }] };
  }),
};

const optionsOf = (baseUrl: string, style: FaultStyle): faultReply.FaultReplyOptions => ({
  baseUrl,
  render: RENDERERS[style],
});

/** Sends a fault with its status, challenge and body (SM-12). */
export function sendFault(
  baseUrl: string,
  style: FaultStyle,
  fault: Fault,
  exchange: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  return faultReply.sendFault(optionsOf(baseUrl, style), fault, exchange);
}

/** Returns an error handler for routes of the gateway. */
export function faultHandler(baseUrl: string, style: FaultStyle) {
  return faultReply.faultHandler(optionsOf(baseUrl, style));
}

const STYLES: Record<Api, FaultStyle> = {
  fhir: 'fhir',
  graphql: 'graphql',
  'fhir-graphql': 'fhir-graphql',
  oauth: 'oauth',
  dicomweb: 'json',
  mcp: 'mcp',
  page: 'json',
};

/** Returns the error form of the API that the request's route belongs to. */
export function styleOf({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): FaultStyle {
  return STYLES[routeOptions.config.api ?? 'page'];
}

/** Adds the URL of the tenant's metadata to every bearer challenge (SM-3, RFC 9728 §5.1). */
export function nameResourceMetadata(app: FastifyInstance, baseUrl: string): void {
  app.addHook('onSend', (...[{ tenant }, reply, , done]) => {
    const challenge = reply.getHeader('www-authenticate');
    if (tenant && typeof challenge === 'string' && !challenge.includes('resource_metadata=')) {
      const metadata = resourceMetadataUrl(tenantBase(baseUrl, tenant));
      void reply.header('www-authenticate', `${challenge}, resource_metadata="${metadata}"`);
    }
    done();
  });
}
