import type { Parameters } from 'fhir/r4.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createReadStream } from 'node:fs';
import { ALLOWED, outcomeOf } from '../../../schema/access/audit.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import type { Access } from '../../../schema/access/access.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { sendFhir } from '../../../schema/fhir/fhir-request.ts';
import { wantsAsync } from '../../../schema/fhir/prefer.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import { SQL_FORMATS, type SqlFormat } from '../sql/query.ts';
import type { Catalogue } from './catalogue.ts';
import { exportFiles, type ExportPlan } from './export-files.ts';
import { oneText, readSent, refuseOthers, resourcesOf, type Given } from './given.ts';
import { KIND, type JobReach, type Jobs } from './jobs.ts';
import { Context, questionOf, subjectOf, SUBJECTS, type Question } from './question.ts';
import {
  answerOf,
  clientOf,
  FILTERS,
  FORMAT,
  narrowed,
  operationOf,
  outputOf,
  UNSUPPORTED,
  type RunOptions,
} from './run.ts';

/** `$sql-export` of SQL on FHIR 3 (ballot): kick-off, status, manifest, files. */

export interface ExportOptions extends RunOptions {
  jobs: Jobs;
}

const TAKEN = new Set(['subject', 'context', 'clientTrackingId', 'partition', ...FILTERS, ...FORMAT]);
const PARTS = new Set(['name', 'parameters', ...SUBJECTS]);
const MOST_SUBJECTS = 50;
/** Seconds for which files are kept (SQL on FHIR 3 ballot, "Asynchronous Delivery"). */
const KEPT = 24 * 3600;
const MAX_RETRY_SECONDS = 60;

/** Parts of the request that the manifest repeats. */
interface Details {
  tracking: string | undefined;
  format: SqlFormat;
  names: readonly string[];
}

/** Begins an export. What is wrong with it is said at once. */
export async function startExport(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ExportOptions,
): Promise<FastifyReply> {
  const { tenant, access, audit, log } = request;
  if (request.method !== 'POST') throw new Fault('invalid_request', 'An export is begun by POST.');
  if (!wantsAsync(request.headers.prefer))
    throw new Fault('invalid_request', 'An export runs in the background: send Prefer: respond-async.');
  const catalogue = options.catalogueOf(tenant);
  const { given } = readSent(request);
  const asked = readExport(given, catalogue);
  const { questions, format, header } = asked;
  const reached = await narrowed({ tenant, access, given }, options);
  const whole = together([...questions.values()]);
  const signal = clientLeft(reply);
  const tables = await options.workplace.open({ tenant, access: reached, signal }, whole, catalogue);
  const plan: ExportPlan = {
    tables,
    questions,
    catalogue,
    format,
    header,
    isPartitioned: asked.isPartitioned,
    answer: (question, limit, over) => {
      const one = { tenant, access: reached, question, tables: { ...tables, release: () => undefined } };
      const asked = { format: limit === 0 ? 'ndjson' : format, header, limit } as const;
      const ask = () => answerOf(one, asked, options, over);
      // The check is in the turn of the request.
      return limit === 0 ? ask() : options.queries.inTurn(clientOf(one), ask);
    },
  };
  const operation = operationOf(reached, whole);
  try {
    for (const question of questions.values()) await requireAnswer(plan, question, signal);
    tables.endTurn();
    const base = fhirBase(options.baseUrl, tenant);
    const described = {
      kind: KIND,
      request: `${base}/$sql-export`,
      reach: reachOf(reached, whole, typesOf(catalogue, tables.tables)),
      seconds: KEPT,
      details: { tracking: asked.tracking, format, names: [...questions.keys()] } satisfies Details,
    } as const;
    const id = await options.jobs.start(access, described, async (output, over, onProgress) => {
      try {
        const { files, read, rows } = await exportFiles(plan, { output, signal: over, onProgress });
        audit?.({ ...operation, tables: tables.named(read), rows, outcome: ALLOWED });
        return files;
      } catch (error) {
        audit?.({ ...operation, outcome: outcomeOf(error) });
        if (!over.aborted) logFault(log, toFault(error), { tenant: tenant.key }, 'an export of SQL failed');
        throw error;
      } finally {
        tables.release();
      }
    });
    void reply.header('content-location', `${base}/$sql-export-status/${id}`);
    return setCacheControl(reply, 'noStore').code(202).send();
  } catch (error) {
    tables.release();
    audit?.({ ...operation, outcome: outcomeOf(error) });
    throw error;
  }
}

/** Refuses a question that cannot be answered, before the export begins. */
async function requireAnswer({ answer }: ExportPlan, question: Question, signal: AbortSignal): Promise<void> {
  const { body, ended } = await answer(question, 0, signal);
  body.resume();
  const { fault } = await ended;
  if (fault) throw fault;
}

interface AskedExport extends Pick<ExportPlan, 'questions' | 'format' | 'header' | 'isPartitioned'> {
  tracking: string | undefined;
}

/** @throws Fault for what `$sql-export` does not take */
function readExport(given: readonly Given[], catalogue: Catalogue): AskedExport {
  refuseOthers(given, TAKEN, { operation: '$sql-export', unsupported: UNSUPPORTED });
  const context = new Context(resourcesOf(given, 'context'));
  const subjects = given.filter(({ name }) => name === 'subject');
  if (subjects.length === 0 || subjects.length > MOST_SUBJECTS)
    throw new Fault('invalid_request', `An export needs a subject, and takes at most ${MOST_SUBJECTS}.`);
  const questions = new Map<string, Question>();
  for (const { part } of subjects) {
    refuseOthers(part, PARTS, { operation: 'subject', unsupported: [] });
    const values = resourcesOf(part, 'parameters');
    const question = questionOf(subjectOf(part, catalogue), catalogue, { values, context });
    const name = oneText(part, 'name', 'string') || question.name || `output-${questions.size + 1}`;
    if (questions.has(name))
      throw new Fault('invalid_request', 'Two subjects have one name: give each a name of its own.');
    questions.set(name, question);
  }
  context.requireUsed();
  // Accept is for the answer to this request, not for the files.
  const { format, header } = outputOf(given, undefined);
  const isPartitioned = oneText(given, 'partition', 'boolean') === 'true';
  const tables = new Set([...questions.values()].flatMap(({ table }) => table ?? []));
  if (isPartitioned && !(format === 'parquet' && tables.size === questions.size))
    throw new Fault(
      'invalid_request',
      'partition takes tables of this server, each once, with _format=parquet.',
    );
  const tracking = oneText(given, 'clientTrackingId', 'string');
  return { questions, format, header, isPartitioned, tracking };
}

/** Joins questions to one, so that all are answered of the same rows. */
function together(questions: readonly Question[]): Question {
  return {
    name: undefined,
    table: undefined,
    sql: questions.map(({ sql }) => sql).join('\n;\n'),
    parameters: {},
    views: questions.flatMap(({ views }) => views),
    inline: [...new Set(questions.flatMap(({ inline }) => inline))],
    isOpen: questions.some(({ isOpen }) => isOpen),
  };
}

/** Returns what a token has to reach that asks for the files: everything that could be in them. @param types of the tables */
function reachOf(access: Access, { inline }: Question, types: readonly string[]): JobReach {
  const { patients } = access;
  const reached = new Set([...types, ...inline.map(({ resource }) => resource)]);
  return {
    patients:
      patients === 'all' ? 'all' : patients.map(({ id, studies }) => ({ id, ...(studies && { studies }) })),
    types: [...reached].map((type) => ({ type, ...requireScope(access, type, 's') })),
  };
}

const typesOf = ({ types }: Catalogue, tables: readonly string[]): string[] =>
  [...types].filter(([name]) => tables.includes(name)).map(([, type]) => type);

/** Tells how far an export is; at its end, where its result is, also that of one that failed. */
export async function exportStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  { jobs, baseUrl }: ExportOptions,
): Promise<FastifyReply> {
  const { job: id } = request.params as { job: string };
  const { running } = await jobs.find(request.access, id, KIND);
  const base = fhirBase(baseUrl, request.tenant);
  setCacheControl(reply, 'noStore');
  if (!running) return reply.code(303).header('location', `${base}/$sql-export-result/${id}`).send();
  const retry = Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.round(running.seconds / 4)));
  const headers = { 'x-progress': `${Math.floor(running.done * 100)} %`, 'retry-after': String(retry) };
  return reply.code(202).headers(headers).send();
}

export async function cancelExport(
  request: FastifyRequest,
  reply: FastifyReply,
  { jobs }: ExportOptions,
): Promise<FastifyReply> {
  const { job } = request.params as { job: string };
  await jobs.remove(request.access, job, KIND);
  return setCacheControl(reply, 'noStore').code(202).send();
}

/** Sends the manifest. @throws Fault `internal` for an export that failed, `not_found` for one that runs */
export async function exportResult(
  request: FastifyRequest,
  reply: FastifyReply,
  { jobs, baseUrl }: ExportOptions,
): Promise<FastifyReply> {
  const { job: id } = request.params as { job: string };
  const job = await jobs.find(request.access, id, KIND);
  if (job.running) throw new Fault('not_found', 'The export still runs: ask for its status.');
  if (job.state !== 'complete') throw new Fault('internal', `The export failed: ${job.failure}`);
  const { tracking, format, names } = job.details as Details;
  const files = `${fhirBase(baseUrl, request.tenant)}/$sql-export-file/${id}`;
  const [began, ended] = [Date.parse(job.transactionTime), job.ended!];
  const locations = (of: string) =>
    job.files
      .filter(({ type }) => type === of)
      .map(({ name }) => ({ name: 'location', valueUri: `${files}/${encodeURI(name)}` }));
  const manifest: Parameters = {
    resourceType: 'Parameters',
    parameter: [
      { name: 'exportId', valueString: id },
      ...(tracking === undefined ? [] : [{ name: 'clientTrackingId', valueString: tracking }]),
      { name: 'status', valueCode: 'completed' },
      { name: '_format', valueCode: format },
      { name: 'exportStartTime', valueInstant: job.transactionTime },
      { name: 'exportEndTime', valueInstant: new Date(ended).toISOString() },
      { name: 'exportDuration', valueInteger: Math.round((ended - began) / 1000) },
      ...names.map((name) => ({
        name: 'output',
        part: [{ name: 'name', valueString: name }, ...locations(name)],
      })),
      // Ours: of a partitioned export.
      ...locations('').map(({ valueUri }) => ({ name: 'manifest', valueUri })),
    ],
  };
  void reply.header('expires', new Date(job.expires!).toUTCString());
  return sendFhir(request, reply, manifest);
}

export async function exportFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { jobs }: ExportOptions,
): Promise<FastifyReply> {
  const { job, '*': name } = request.params as { job: string; '*': string };
  const { path, file, expires } = await jobs.file(request.access, job, name, KIND);
  const extension = file.name.slice(file.name.lastIndexOf('.') + 1);
  const type = Object.hasOwn(SQL_FORMATS, extension)
    ? SQL_FORMATS[extension as SqlFormat]
    : 'application/json';
  void reply.headers({ 'content-length': file.bytes, expires: new Date(expires).toUTCString() });
  return setCacheControl(reply, 'noStore').type(type).send(createReadStream(path));
}
