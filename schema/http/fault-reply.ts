import type { FastifyReply, FastifyRequest } from 'fastify';
import { helpUrl } from '../fault/fault-help.ts';
import { faultHeaders, faultJson, toFault, type Fault } from '../fault/fault.ts';
import { logFault } from '../fault/log-fault.ts';
import { resourceMetadataUrl, resourceOfApi, tenantBase } from './request.ts';

/**
 * Renders a fault for an API: media type and text of the body.
 * @param help address of the page about the fault
 */
export type FaultRenderer = (
  fault: Fault,
  request: FastifyRequest,
  help: string,
) => { type: string; body: string };

export interface FaultReplyOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  render: FaultRenderer;
}

/**
 * Sends a fault with its status, headers and challenge (SM-12), and the body of its API. The header `Link` leads to the page
 * about it (RFC 8288, relation `help`).
 */
export function sendFault(
  { baseUrl, render }: FaultReplyOptions,
  fault: Fault,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  // There is no tenant before the request is routed.
  const { tenant } = request as { tenant?: FastifyRequest['tenant'] };
  // A client that has left may be why a source failed. An error of this server is one all the same.
  if (fault.code === 'internal' || !reply.raw.destroyed)
    logFault(request.log, fault, { tenant: tenant?.key }, 'a request failed');
  const base = tenant && tenantBase(baseUrl, tenant);
  const resource = base && resourceOfApi(base, request.routeOptions.config.api);
  const headers = faultHeaders(fault, base ?? baseUrl, resource && resourceMetadataUrl(resource));
  const help = helpUrl(baseUrl, fault.code);
  const { type, body } = render(fault, request, help);
  return reply
    .code(fault.status)
    .headers({ ...headers, link: `<${help}>; rel="help"` })
    .type(type)
    .send(body);
}

/** Returns the error handler for the routes of an API. */
export function faultHandler(options: FaultReplyOptions) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendFault(options, toFault(error), { request, reply });
}

/** Renders a fault as JSON, for DICOMweb and plain answers. */
export const asJson: FaultRenderer = (fault) => ({
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(faultJson(fault)),
});
