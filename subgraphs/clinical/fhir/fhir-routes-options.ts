import type { FastifyRequest } from 'fastify';
import type { Access } from '../../../schema/access/access.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';

export interface FhirRoutesOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  /** Opens the record for a request. @param access the request's own, or a narrower one */
  open(request: FastifyRequest, over: Abortable, access?: Access): Clinical;
}
