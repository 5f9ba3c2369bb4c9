import type { FastifyReply, FastifyRequest } from 'fastify';
import { faultHeaders, faultJson, faultOutcome, toFault, type Fault } from '../fault/fault.ts';
import { logFault } from '../fault/log-fault.ts';
import { FHIR_JSON } from '../fhir/fhir.ts';
import { resourceMetadataUrl, tenantBase } from './request.ts';

/** How an API writes a fault: the media type and the text of its body. */
export type FaultRenderer = (fault: Fault, request: FastifyRequest) => { type: string; body: string };

export interface FaultReplyOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  render: FaultRenderer;
  /** What the log says. */
  message: string;
}

/** Sends a fault with its status, headers and challenge (SM-12), and the body that its API gives it. */
export function sendFault(
  { baseUrl, render, message }: FaultReplyOptions,
  fault: Fault,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  // A client that has left is no failure of ours.
  if (!reply.raw.destroyed) logFault(request.log, fault, {}, message);
  // Before there is a route there is no tenant.
  const { tenant } = request as { tenant?: FastifyRequest['tenant'] };
  const base = tenant && tenantBase(baseUrl, tenant);
  const headers = faultHeaders(fault, base ?? baseUrl, base && resourceMetadataUrl(base));
  const { type, body } = render(fault, request);
  return reply.code(fault.status).headers(headers).type(type).send(body);
}

/** The error handler of an API's routes. */
export function faultHandler(options: FaultReplyOptions) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendFault(options, toFault(error), { request, reply });
}

/** As the JSON of DICOMweb and of plain answers. */
export const asJson: FaultRenderer = (fault) => ({
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(faultJson(fault)),
});

/** As a FHIR OperationOutcome. */
export const asOutcome: FaultRenderer = (fault) => ({
  type: FHIR_JSON,
  body: JSON.stringify(faultOutcome(fault)),
});
