import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  requirePatient,
  type Access,
  type PatientGrant,
  type PatientIdentity,
} from '../../../schema/access/access.ts';
import { ALLOWED, outcomeOf, type Operation } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import { parseAccept, takes } from '../../../schema/http/media-ranges.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import { endIdleReader } from '../../../schema/http/reader-timeout.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { isOfNobody } from '../rights.ts';
import type { SqlAnswer, SqlQueries, SqlRequest } from '../sql/queries.ts';
import { SQL_FORMATS, type SqlFormat } from '../sql/query.ts';
import type { Catalogue } from './catalogue.ts';
import { oneText, readSent, refuseOthers, resourcesOf, textsOf, type Given, type Sent } from './given.ts';
import { Context, questionOf, subjectOf, SUBJECTS, type Question } from './question.ts';
import { sqlValues } from './sql-values.ts';
import { tableClosed, type OpenedTables, type Workplace } from './workplace.ts';

/** `$sql-run` of SQL on FHIR 3 (ballot). */

export interface RunOptions {
  baseUrl: string;
  catalogueOf(tenant: Tenant): Catalogue;
  /** Opens the rows of a caller. */
  workplace: Workplace;
  queries: Pick<SqlQueries, 'answer' | 'inTurn'>;
  /** Returns the members of a Group whom the caller reaches. @throws Fault as a read of the Group */
  members(tenant: Tenant, access: Access, group: string): Promise<readonly PatientGrant[]>;
  /** Returns who a patient of the record is; undefined for an unknown one. @throws Fault as a read of the Patient */
  identityOf(tenant: Tenant, access: Access, patientId: string): Promise<PatientIdentity | undefined>;
}

/** Parameters of both operations. */
export const FILTERS = ['patient', 'group'];
export const FORMAT = ['_format', 'header'];
/** Of the standard. */
export const UNSUPPORTED = ['_since', 'source', 'resource'];
const OPTIONS = [...FILTERS, ...FORMAT, '_limit'];
const TAKEN = new Set([...SUBJECTS, 'parameters', 'context', ...OPTIONS]);

/** Answers `$sql-run`. */
export async function answerRun(
  request: FastifyRequest,
  reply: FastifyReply,
  options: RunOptions,
): Promise<FastifyReply> {
  const { tenant, access, audit } = request;
  const signal = clientLeft(reply);
  const sent = readSent(request);
  const question = askedOf(sent, options.catalogueOf(tenant));
  const asked = { ...outputOf(sent.given, request.headers.accept), limit: limitOf(sent.given) };
  let reached = access;
  try {
    reached = await narrowed({ tenant, access, given: sent.given }, options);
    const caller = { tenant, access: reached, signal };
    const tables = await options.workplace.open(caller, question, options.catalogueOf(tenant));
    const answer = await answerOf({ tenant, access: reached, question, tables }, asked, options, signal);
    void answer.ended.then(({ rows, fault }) => {
      tables.release();
      const outcome = fault ? outcomeOf(fault, { hasBegun: true }) : ALLOWED;
      audit?.({ ...operationOf(reached, question), tables: tables.named(answer.tables), rows, outcome });
    });
    return send(request, reply, { answer, time: tables.time });
  } catch (error) {
    audit?.({ ...operationOf(reached, question), outcome: outcomeOf(error) });
    throw error;
  }
}

/** Returns the name of a client, whose turns are counted. */
export const clientOf = ({ tenant, access }: { tenant: Tenant; access: Access }): string =>
  `${tenant.key}\n${access.client ?? ''}\n${access.client === undefined ? access.user : ''}`;

/** Puts a question to its tables, which are given back when it fails. */
export async function answerOf(
  {
    tenant,
    access,
    question,
    tables,
  }: { tenant: Tenant; access: Access; question: Question; tables: OpenedTables },
  asked: Pick<SqlRequest, 'format' | 'header' | 'limit'>,
  { queries, catalogueOf }: Pick<RunOptions, 'queries' | 'catalogueOf'>,
  signal: AbortSignal,
): Promise<SqlAnswer> {
  const { sql, parameters, views, isOpen } = question;
  const closed = isOpen ? closedTables(catalogueOf(tenant), access, tables.tables) : new Map<string, Fault>();
  try {
    const open = isOpen ? tables.tables : question.inline.map(({ name }) => name);
    return await queries.answer(
      {
        reach: tables.file,
        sql,
        parameters,
        tables: open,
        views,
        closed: Object.fromEntries([...closed].map(([name, fault]) => [name, fault.message])),
        ...asked,
      },
      signal,
    );
  } catch (error) {
    tables.release();
    const refused = error instanceof Fault && error.code === 'insufficient_scope';
    throw (refused && [...closed.values()].find(({ message }) => message === error.message)) || error;
  }
}

/** Returns the tables that a caller may not ask, by their names in lower case, each with the refusal. */
function closedTables({ types }: Catalogue, access: Access, open: readonly string[]): Map<string, Fault> {
  const others = [...types].filter(([name]) => !open.includes(name));
  return new Map(others.map(([name, type]) => [name.toLowerCase(), tableClosed(access, { name, type })]));
}

/** @throws Fault for what `$sql-run` does not take */
function askedOf({ sql, given }: Sent, catalogue: Catalogue): Question {
  if (sql !== undefined) return ofStatement(sql, given);
  refuseOthers(given, TAKEN, { operation: '$sql-run', unsupported: UNSUPPORTED });
  const context = new Context(resourcesOf(given, 'context'));
  const values = resourcesOf(given, 'parameters');
  const question = questionOf(subjectOf(given, catalogue), catalogue, { values, context });
  context.requireUsed();
  return question;
}

/** Takes what the URL gives besides as parameters of the statement. */
function ofStatement(sql: string, given: readonly Given[]): Question {
  const values = given.filter(({ name }) => !OPTIONS.includes(name));
  const reserved = values.filter(
    ({ name }) => name.startsWith('_') || TAKEN.has(name) || UNSUPPORTED.includes(name),
  );
  const operation = 'A statement as the body';
  refuseOthers(reserved, new Set(), { operation, unsupported: UNSUPPORTED });
  const parameters = sqlValues(values);
  return { name: undefined, table: undefined, sql, parameters, views: [], inline: [], isOpen: true };
}

/**
 * Returns the format of the rows: of `_format`, or that of `Accept` that the client likes most.
 * @throws Fault `unsupported_parameter` for another one, `not_acceptable` for a client that takes none
 */
export function outputOf(
  given: readonly Given[],
  accept: string | undefined,
): Pick<SqlRequest, 'format' | 'header'> {
  const asked = oneText(given, '_format', 'code');
  const header = oneText(given, 'header', 'boolean') !== 'false';
  const names = Object.keys(SQL_FORMATS) as SqlFormat[];
  if (asked !== undefined) {
    const format = names.find((name) => name === asked);
    if (!format) throw new Fault('unsupported_parameter', `_format takes ${names.join(', ')}.`);
    return { format, header };
  }
  const ranges = parseAccept(accept);
  const typeOf = (name: SqlFormat) => SQL_FORMATS[name].split(';')[0]!;
  for (const range of ranges) {
    const format = names.find((name) => takes(range, typeOf(name)));
    if (format) return { format, header };
  }
  if (ranges.some((range) => takes(range, 'application/octet-stream'))) return { format: 'ndjson', header };
  throw new Fault('not_acceptable', `Rows are sent as ${names.map(typeOf).join(', ')}.`);
}

function limitOf(given: readonly Given[]): number | undefined {
  const text = oneText(given, '_limit', 'count');
  return text === undefined ? undefined : Number(text);
}

/**
 * Returns the access to the patients that are named alone, which may be none; the whole one where none is named.
 * @throws Fault `forbidden` for a token without patients, and for a patient out of reach, `not_found` for a Group that the
 * caller does not see, and, by a token that reaches all, for a patient who is not in the record
 */
export async function narrowed(
  { tenant, access, given }: { tenant: Tenant; access: Access; given: readonly Given[] },
  { baseUrl, members, identityOf }: Pick<RunOptions, 'baseUrl' | 'members' | 'identityOf'>,
): Promise<Access> {
  if (isOfNobody(access)) throw new Fault('forbidden', 'The token gives access to no patient.');
  const base = `${fhirBase(baseUrl, tenant)}/`;
  const patients = textsOf(given, 'patient', 'reference').map((text) => idIn(text, 'Patient', base));
  const groups = textsOf(given, 'group', 'reference').map((text) => idIn(text, 'Group', base));
  if (patients.length + groups.length === 0) return access;
  const named = patients.map((id) => requirePatient(access, id));
  const ofGroups = await Promise.all(groups.map((id) => members(tenant, access, id)));
  // Both together: those who are named, and in a Group.
  const inGroups = new Map(ofGroups.flat().map((grant) => [grant.id, grant]));
  const both = groups.length === 0 ? named : named.filter(({ id }) => inGroups.has(id));
  const grants = patients.length === 0 ? [...inGroups.values()] : both;
  const once = [...new Map(grants.map((grant) => [grant.id, grant])).values()];
  if (access.patients !== 'all') return { ...access, patients: once };
  // A token that reaches all patients identifies none, and images are found by who a patient is.
  const identified = once.map(async (grant) => {
    const identity = await identityOf(tenant, access, grant.id);
    if (!identity) throw noSuchResource();
    return { ...grant, identity };
  });
  return { ...access, patients: await Promise.all(identified) };
}

/** @param reference `Patient/1`, the same below `base`, or the id alone */
function idIn(reference: string, wanted: 'Patient' | 'Group', base: string): string {
  const own = reference.startsWith(base) ? reference.slice(base.length) : reference;
  const id = own.startsWith(`${wanted}/`) ? own.slice(wanted.length + 1) : own;
  if (FHIR_ID.test(id)) return id;
  const message = `${wanted.toLowerCase()} takes references to resources of this server, such as ${wanted}/1.`;
  throw new Fault('invalid_request', message);
}

/** Describes a question for the audit. Of many patients only their number is known. */
export function operationOf(
  { patients }: Access,
  { sql }: Pick<Question, 'sql'>,
): Omit<Operation, 'outcome'> {
  const [only, ...others] = patients === 'all' ? [] : patients;
  const whose = only && others.length === 0 ? { patient: only.id } : {};
  return {
    action: 'search',
    query: sql,
    ...(patients !== 'all' && others.length > 0 ? { patients: patients.length } : whose),
  };
}

/** Sends the rows. A failure after the first of them cuts the connection. */
function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { answer, time }: { answer: SqlAnswer; time: Date },
): FastifyReply {
  const { key, limits } = request.tenant;
  const { readerTimeout: seconds } = limits;
  endIdleReader(reply.raw, seconds, () =>
    request.log.warn({ tenant: key, seconds }, 'a client that did not read its rows was disconnected'),
  );
  return setCacheControl(reply, 'noStore')
    .header('last-modified', time.toUTCString())
    .type(answer.type)
    .send(answer.body);
}
