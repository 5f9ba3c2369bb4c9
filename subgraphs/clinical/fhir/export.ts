import type { FastifyReply, FastifyRequest } from 'fastify';
import { createReadStream } from 'node:fs';
import type { Access } from '../../../schema/access/access.ts';
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
import { membersInReach } from '../export/group-members.ts';
import { NdjsonFiles } from '../export/ndjson-files.ts';
import { NDJSON, readExport, requireQueries, requireSystem } from '../export/export-request.ts';
import { runExport } from '../export/run-export.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientImages } from '../record/study-images.ts';

/** `$export` of Bulk Data Access 3.0 (FG-38): kick-off, status, files. */

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
      const outcome = job.files.filter(({ type }) => type === ERRORS).map(entry);
      void reply.header('expires', new Date(job.expires!).toUTCString());
      return setCacheControl(reply, 'noStore').send({
        transactionTime: job.transactionTime,
        request: job.request,
        requiresAccessToken: true,
        outputFormat: NDJSON,
        output: job.files.filter(({ type }) => type !== ERRORS).map(entry),
        // The same files by two names: that of version 3, and that of the ballot of version 4.
        error: outcome,
        outcome,
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
  await requireQueries(asked, open(tenant, asked.access));
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
  const id = await jobs.start(access, described, async (place, signal, onProgress) => {
    const output = new NdjsonFiles(place);
    try {
      for (const note of asked.notes) await output.add(note, ERRORS);
      const openRecord = (narrowed: Access) => open(tenant, narrowed, { signal });
      const patients = await runExport(asked, { open: openRecord, images, output, signal, onProgress });
      const files = await output.finish();
      audit?.({ ...operation, patients, outcome: ALLOWED });
      return files;
    } catch (error) {
      await output.close().catch(() => undefined);
      audit?.({ ...operation, outcome: outcomeOf(error) });
      if (!signal.aborted) logFault(log, toFault(error), { tenant: tenant.key }, 'an export failed');
      throw error;
    }
  });
  void reply.header('content-location', `${base(request)}/$export-status/${id}`);
  return setCacheControl(reply, 'noStore').code(202).send();
}
