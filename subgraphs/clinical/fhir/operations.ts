import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../../schema/access/access.ts';
import { ALLOWED, outcomeOf, querySummary, type RecordOperation } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { asFhir, sendFhir } from '../../../schema/fhir/fhir-request.ts';
import { FHIR_ID, FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import { readFormsAndJson, readOperationRequest } from '../../../schema/fhir/operation-request.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { clientLeft, endOf } from '../../../schema/http/client-left.ts';
import { faultHandler } from '../../../schema/http/fault-reply.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import type { Served, ServingRoute } from '../../../schema/http/served.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { ExportJobs } from '../export/export-jobs.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientImages } from '../record/study-images.ts';
import { answerBatch, type EntryAnswer, type EntryRequest } from './batch.ts';
import { everything } from './everything.ts';
import { exportHandlers } from './export.ts';
import { lastObservations } from './lastn.ts';

export interface OperationRoutesOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  open(tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation): Clinical;
  images: PatientImages;
  jobs: ExportJobs;
}

/** Headers of a batch that count for each of its entries. */
const PASSED_ON = ['authorization', 'host', 'prefer', 'user-agent'];

/** Returns the routes of operations and batches (R4 §3.2, §3.1.0.11; Bulk Data Access 3.0). */
export function operationRoutes(options: OperationRoutesOptions): FastifyPluginAsync {
  const { baseUrl, open } = options;
  const base = (request: FastifyRequest): string => fhirBase(baseUrl, request.tenant);
  return async (app) => {
    app.setErrorHandler(faultHandler({ baseUrl, render: asFhir }));
    readFormsAndJson(app);
    const everythingOf = (request: FastifyRequest, reply: FastifyReply) =>
      answerEverything(request, reply, { ...options, base: base(request) });
    for (const url of ['/fhir/Patient/:id/$everything', '/fhir/Patient/$everything']) {
      app.route({ method: ['GET', 'POST'], url, ...serving('operation', 'Patient'), handler: everythingOf });
    }
    app.route({
      method: ['GET', 'POST'],
      url: '/fhir/Observation/$lastn',
      ...serving('search', 'Observation'),
      async handler(request, reply) {
        const { parameters, handling } = readOperationRequest(request);
        const over = endOf(reply);
        const record = () => open(request.tenant, request.access, over, request.audit);
        const asked = { strict: handling === 'strict', base: base(request) };
        return sendFhir(request, reply, await lastObservations(record, parameters, asked));
      },
    });
    const exporting = exportHandlers({ ...options, base });
    for (const [type, url] of [
      ['Patient', '/fhir/Patient/$export'],
      ['Group', '/fhir/Group/:id/$export'],
    ] as const) {
      // HEAD must not begin an export.
      const methods = { method: ['GET', 'POST'], exposeHeadRoute: false };
      app.route({ ...methods, url, ...ofExports(serving('operation', type)), handler: exporting.start });
    }
    const own = ofExports(serving('operation'));
    app.get('/fhir/$export-status/:job', own, exporting.status);
    app.delete('/fhir/$export-status/:job', own, exporting.cancel);
    app.get('/fhir/$export-file/:job/:file', own, exporting.file);
    // Some clients send a batch to the base with a slash at the end.
    for (const url of ['/fhir', '/fhir/']) {
      app.post(url, serving('batch'), (request, reply) => batch(app, { request, reply }, base(request)));
    }
  };
}

function serving(interaction: Served['interaction'], resource?: string): ServingRoute {
  return { config: { api: 'fhir', serves: { interaction, resource } } };
}

/** One process has the jobs and their files. */
const ofExports = ({ config }: ServingRoute): ServingRoute => ({ config: { ...config, stateIn: 'process' } });

async function answerEverything(
  request: FastifyRequest,
  reply: FastifyReply,
  { open, images, base }: OperationRoutesOptions & { base: string },
): Promise<FastifyReply> {
  const { tenant, access, audit } = request;
  const over = endOf(reply);
  const { parameters, handling } = readOperationRequest(request);
  const { id = onlyPatient(access) } = request.params as { id?: string };
  // One record for all the searches (IA-30).
  const operation = {
    action: 'search' as const,
    type: 'Patient',
    query: querySummary('Patient/$everything', parameters),
    ...(FHIR_ID.test(id) && { patient: id }),
  };
  try {
    const options = { tenant, images, base, open: (narrowed: Access) => open(tenant, narrowed, over) };
    const bundle = await everything(
      id,
      { parameters, strict: handling === 'strict' },
      { ...options, access },
    );
    audit?.({ ...operation, outcome: ALLOWED });
    return sendFhir(request, reply, bundle);
  } catch (error) {
    audit?.({ ...operation, outcome: outcomeOf(error) });
    throw error;
  }
}

/** @throws Fault `invalid_request` for a token that reaches several patients or none */
function onlyPatient({ patients }: Access): string {
  const [only, ...others] = patients === 'all' ? [] : patients;
  if (only && others.length === 0) return only.id;
  throw new Fault('invalid_request', 'Name one patient: Patient/{id}/$everything. Use $export for several.');
}

async function batch(
  app: FastifyInstance,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  base: string,
): Promise<FastifyReply> {
  const { headers, body, originalUrl, ip, id } = request;
  requireFhirJson(headers.accept, undefined);
  if (typeof body !== 'object' || body === null) {
    throw new Fault('unsupported_media_type', `Send a batch as ${FHIR_JSON}.`);
  }
  const signal = clientLeft(reply);
  const passed = PASSED_ON.flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [[name, String(value)] as const];
  });
  const send = async ({ url, headers: own }: EntryRequest): Promise<EntryAnswer> => {
    const accepted = { ...Object.fromEntries(passed), ...own, accept: FHIR_JSON, 'x-request-id': id };
    const answer = await app.inject({ method: 'GET', url, headers: accepted, remoteAddress: ip, signal });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  };
  const path = originalUrl.replace(/\?.*$/s, '').replace(/\/+$/, '');
  const text = await answerBatch(body, { path, base, send, signal });
  return setCacheControl(reply, 'noStore').type(`${FHIR_JSON}; charset=utf-8`).send(text);
}
