import type { Group } from 'fhir/r4.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createReadStream } from 'node:fs';
import { type Access, type PatientGrant, grantFor } from '../../../schema/access/access.ts';
import { ALLOWED, outcomeOf, querySummary, type RecordOperation } from '../../../schema/access/audit.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { readOperationRequest } from '../../../schema/fhir/operation-request.ts';
import { wantsAsync } from '../../../schema/fhir/prefer.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import { exportedReach } from '../export/exported-reach.ts';
import type { ExportJobs } from '../export/export-jobs.ts';
import { readExport, requireSystem } from '../export/export-request.ts';
import { runExport } from '../export/run-export.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientImages } from '../record/study-images.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';

/** `$export` of Bulk Data Access 2.0: kick-off, status, files. */

const NDJSON = 'application/fhir+ndjson';
/** Type and file of the lines that say what was left out. */
const ERRORS = 'OperationOutcome';
const MAX_RETRY_SECONDS = 60;

export interface ExportRoutesOptions {
  jobs: ExportJobs;
  open(tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation): Clinical;
  images: PatientImages;
  /** Returns the absolute base of FHIR REST for a request. */
  base(request: FastifyRequest): string;
}

export type ExportHandlers = Record<
  'start' | 'status' | 'cancel' | 'file',
  (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
>;

/** Returns the handlers of the paths of exports. */
export function exportHandlers(options: ExportRoutesOptions): ExportHandlers {
  const { jobs, base } = options;
  return {
    start: (request, reply) => start(request, reply, options),
    async status(request, reply) {
      const { job: id } = request.params as { job: string };
      const job = await jobs.find(request.access, id);
      if (job.running) {
        const { done, seconds } = job.running;
        const retry = Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.round(seconds / 4)));
        const headers = { 'x-progress': `${Math.floor(done * 100)} %`, 'retry-after': String(retry) };
        return setCacheControl(reply, 'noStore').code(202).headers(headers).send();
      }
      if (job.state !== 'complete') throw new Fault('internal', `The export failed: ${job.failure}`);
      const entry = (file: { name: string; type: string; count: number }) => ({
        type: file.type,
        url: `${base(request)}/$export-file/${id}/${file.name}`,
        count: file.count,
      });
      void reply.header('expires', new Date(job.expires!).toUTCString());
      return setCacheControl(reply, 'noStore').send({
        transactionTime: job.transactionTime,
        request: job.request,
        requiresAccessToken: true,
        output: job.files.filter(({ type }) => type !== ERRORS).map(entry),
        error: job.files.filter(({ type }) => type === ERRORS).map(entry),
      });
    },
    async cancel(request, reply) {
      const { job } = request.params as { job: string };
      await jobs.remove(request.access, job);
      return setCacheControl(reply, 'noStore').code(202).send();
    },
    async file(request, reply) {
      const { job, file: name } = request.params as { job: string; file: string };
      const { path, file, expires } = await jobs.file(request.access, job, name);
      void reply.headers({ 'content-length': file.bytes, expires: new Date(expires).toUTCString() });
      return setCacheControl(reply, 'noStore').type(NDJSON).send(createReadStream(path));
    },
  };
}

async function start(
  request: FastifyRequest,
  reply: FastifyReply,
  { jobs, open, images, base }: ExportRoutesOptions,
): Promise<FastifyReply> {
  const { tenant, access, audit, log } = request;
  const { id: group } = request.params as { id?: string };
  const { parameters, handling } = readOperationRequest(request);
  requireSystem(access);
  if (!wantsAsync(request.headers.prefer)) {
    throw new Fault('invalid_request', 'An export runs in the background: send Prefer: respond-async.');
  }
  const members = group === undefined ? undefined : await membersInReach(open(tenant, access), group);
  const asked = readExport({ tenant, access, members }, parameters, handling === 'lenient');
  const type = group === undefined ? 'Patient' : 'Group';
  const operation = {
    action: 'search' as const,
    type,
    query: querySummary(`${type}/$export`, parameters),
    target: group,
  };
  const path = group === undefined ? 'Patient/$export' : `Group/${group}/$export`;
  const [, query] = /(\?.*)$/s.exec(request.raw.url ?? '') ?? [];
  const described = {
    request: `${base(request)}/${path}${query ?? ''}`,
    reach: exportedReach(asked.access, asked.types),
  };
  const id = await jobs.start(access, described, async (output, signal, onProgress) => {
    try {
      for (const note of asked.notes) await output.add(note, ERRORS);
      const openRecord = (narrowed: Access) => open(tenant, narrowed, { signal });
      const patients = await runExport(asked, { open: openRecord, images, output, signal, onProgress });
      audit?.({ ...operation, patients, outcome: ALLOWED });
    } catch (error) {
      audit?.({ ...operation, outcome: outcomeOf(error) });
      if (!signal.aborted) logFault(log, toFault(error), { tenant: tenant.key }, 'an export failed');
      throw error;
    }
  });
  void reply.header('content-location', `${base(request)}/$export-status/${id}`);
  return setCacheControl(reply, 'noStore').code(202).send();
}

/**
 * Returns the members of a Group whom the caller reaches. Patients out of reach are left out, because an export is what
 * the client is authorized for (Bulk Data Access 2.0 §2.1.0.2), and nothing tells that they are members. A Group of a
 * record is shown to nobody whose token is bound to patients, so it is read here past the usual rule (SM-16).
 * @throws Fault `insufficient_scope` without a scope for Group; the same `not_found` for a Group that does not exist and
 *   for one without a member in reach; `not_implemented` for a Group of Groups
 */
async function membersInReach(clinical: Clinical, id: string): Promise<PatientGrant[]> {
  const { access } = clinical;
  const { constraints } = requireScope(access, 'Group', 'r');
  if (constraints) {
    throw new Fault('insufficient_scope', 'An export of a Group needs a scope for all Group resources.', {
      scope: 'system/Group.r',
    });
  }
  if (!FHIR_ID.test(id)) throw noSuchResource();
  const source = await clinical.backend();
  const [group] = (await source.read('Group', [id])) as Group[];
  const active = (group?.member ?? []).filter((member) => member?.inactive !== true);
  const targets = await Promise.all(active.map(({ entity }) => clinical.target(entity?.reference)));
  const ids = targets.filter((target) => target?.type === 'Patient').map((target) => target!.id);
  const members = grantsOf(access, [...new Set(ids)]);
  if (members.length === 0) throw noSuchResource();
  if (targets.some((target) => target?.type === 'Group')) {
    throw new Fault('not_implemented', 'A Group with other Groups as members cannot be exported.');
  }
  return members;
}

function grantsOf(access: Access, ids: readonly string[]): PatientGrant[] {
  const grants = access.patients === 'all' ? undefined : new Map(access.patients.map((one) => [one.id, one]));
  const found = ids.map((id) => (grants ? grants.get(id) : grantFor(access, id)));
  return found.filter((grant) => grant !== undefined);
}
