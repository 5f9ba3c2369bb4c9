import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify';
import type { AuditEvent as FhirAuditEvent } from 'fhir/r4.js';
import { requirePatient, type Access } from '../../schema/access/access.ts';
import { ALLOWED, querySummary } from '../../schema/access/audit.ts';
import { requireScope } from '../../schema/access/scopes.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { foreignCursor, noSuchResource, patientOutOfReach } from '../../schema/fault/refusals.ts';
import { contentVersion, sendRead } from '../../schema/fhir/conditional-read.ts';
import { dateComparisons, dateCriterion } from '../../schema/fhir/date-range.ts';
import { partOf } from '../../schema/fhir/elements.ts';
import { FHIR_ID } from '../../schema/fhir/fhir.ts';
import { readFhirRequest, sendFhir } from '../../schema/fhir/fhir-request.ts';
import { decodeCursor, encodeCursor, LARGEST_PAGE } from '../../schema/fhir/search/paging.ts';
import {
  leaveOut,
  readSearchRequest,
  unsupported,
  type Parameters,
  type ResultRules,
} from '../../schema/fhir/search/search-request.ts';
import { trimmedAlternatives } from '../../schema/fhir/search/search-value.ts';
import { ignoredEntries, searchset } from '../../schema/fhir/search/searchset.ts';
import { endOf } from '../../schema/http/client-left.ts';
import { fhirBase, tenantBase } from '../../schema/http/request.ts';
import { askedRequest, compartmentNamed, resourceOf, type AskedRequest } from '../../schema/http/served.ts';
import { copyWith } from '../../schema/process/copy-with.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { AccessList, AskedPage, ListedAccess, ListOf } from './access-list.ts';
import { balpAuditEvent } from './audit-event.ts';

export interface AccessListRequestOptions {
  baseUrl: string;
  /** Undefined where processes have no list in common. */
  list: Pick<AccessList, 'studies' | 'page' | 'find'> | undefined;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Opens the studies of a patient that the caller may see. */
  studyImages(
    tenant: Tenant,
    access: Access,
    over?: Abortable,
  ): {
    studiesOf(
      patientId: string,
    ): Promise<{
      studies: readonly { id: string; _studyUid?: string | null | undefined }[];
      failed: readonly Fault[];
    }>;
  };
  /** Tells if the record of a tenant may have AuditEvents of its own. */
  recordHolds(tenant: Tenant, access: Access, type: string): Promise<boolean>;
}

const TYPE = 'AuditEvent';
const DAY = 86_400_000;

const RESULTS: ResultRules = {
  defaultCount: 50,
  maxCount: LARGEST_PAGE,
  more: { _sort: (value) => value === '-date', _cursor: () => true },
};

const PATIENT = /^patient(:Patient)?$/;
/** Places of a page: ids of accesses. */
const PLACES = /^[\da-f-]{36}$/;

/** Returns true for a tenant whose patients can list who has looked. */
export const keepsAccessList = ({ audit }: Pick<Tenant, 'audit'>, list: object | undefined): boolean =>
  list !== undefined && audit.keep > 0;

/**
 * Returns a hook that answers searches and reads of AuditEvent with the accesses to the data of the token's own patient, where
 * the tenant keeps them. Where it does not, the record answers that has AuditEvents of its own; all others are refused.
 */
export function answerAccessList(options: AccessListRequestOptions): preHandlerHookHandler {
  return (request, reply, done) => {
    const asked = askedRequest(request);
    if (resourceOf(asked) !== TYPE) return done();
    void answer(request, reply, { asked, options }).then((isAnswered) => isAnswered || done(), done);
  };
}

/** @returns false where the record answers */
async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { asked, options }: { asked: AskedRequest; options: AccessListRequestOptions },
): Promise<boolean> {
  const { list, recordHolds } = options;
  const { tenant, access, routeOptions } = request;
  const isKept = list && keepsAccessList(tenant, list);
  if (!isKept && tenant.clinical.type !== 'none' && (await recordHolds(tenant, access, TYPE))) return false;
  const isSearch = asked.serves.interaction === 'search';
  requireOwn(access, isSearch ? 's' : 'r');
  const { parameters, strict } = readFhirRequest(request);
  const base = fhirBase(options.baseUrl, tenant);
  const patient = ownPatient(access, patientsNamed(asked, parameters, base));
  if (!isKept) throw noList();
  if (routeOptions.url?.includes('/_history'))
    throw new Fault('not_implemented', 'Accesses have no versions.');
  const own = { tenant: tenant.key, patient, since: options.now() - tenant.audit.keep * DAY };
  const opened = { request, reply, list, own, options };
  await (isSearch ? search(opened, parameters, strict) : read(opened));
  return true;
}

const noList = () =>
  new Fault(
    'not_implemented',
    'This server keeps no list of who has looked. audit.keep of the tenant sets for how many days it does.',
  );

/**
 * Refuses all scopes but those for one patient: who may see many patients may not see who else did. A granular one is none:
 * nothing here judges its parameters.
 */
function requireOwn({ permissions }: Access, interaction: 's' | 'r'): void {
  const own = permissions.filter(({ level, parameters }) => level === 'patient' && !parameters);
  requireScope({ permissions: own }, TYPE, interaction);
}

/** Returns the ids of the patients that a request names, and other values as they are. */
function patientsNamed(asked: AskedRequest, parameters: Parameters, base: string): string[] {
  const values = parameters.flatMap(([name, value]) =>
    PATIENT.test(name) ? [value.replace(`${base}/`, '')] : [],
  );
  return [compartmentNamed(asked) ?? [], values].flat().map((value) => value.replace(/^Patient\//, ''));
}

/** @throws Fault `forbidden` for another patient (IA-7), and for a token that is for none or for several */
function ownPatient(access: Access, named: readonly string[]): string {
  const [only, ...others] = access.patients === 'all' ? [] : access.patients;
  if (!only || others.length > 0) throw patientOutOfReach();
  for (const patient of named) requirePatient(access, patient);
  return only.id;
}

interface Opened {
  request: FastifyRequest;
  reply: FastifyReply;
  list: Pick<AccessList, 'studies' | 'page' | 'find'>;
  own: ListOf;
  options: AccessListRequestOptions;
}

async function search(opened: Opened, parameters: Parameters, strict: boolean): Promise<FastifyReply> {
  const { request, reply, list, own, options } = opened;
  const { results, applied, times, ignored } = parseSearch(parameters, strict, options.now());
  const { count, cursor, summary } = results;
  const page = list.page(own, {
    hidden: await hiddenStudies(opened),
    times,
    after: cursor === undefined ? undefined : decodeCursor(cursor, PLACES),
    count: Math.max(1, count),
  });
  if (!page) throw foreignCursor();
  const { audit, tenant } = request;
  const query = querySummary(TYPE, parameters);
  audit?.({ action: 'search', type: TYPE, patient: own.patient, query, outcome: ALLOWED });
  const { total, next } = page;
  const url = `${fhirBase(options.baseUrl, tenant)}/${TYPE}`;
  const entries = (summary === 'count' ? [] : page.accesses).map((access) => ({
    resource: partOf(resourceOfAccess(access, opened), results),
    mode: 'match' as const,
    fullUrl: `${url}/${access.id}`,
  }));
  const places = {
    first: [],
    next: next === undefined ? undefined : ([['_cursor', encodeCursor(next)]] as const),
  };
  const hasOthers = summary !== 'count' && (cursor ?? next) !== undefined;
  const bundle = searchset({
    url,
    applied,
    entries: [...entries, ...ignoredEntries(ignored)],
    total: results.total || summary === 'count' ? total : undefined,
    pages: hasOthers ? { count, places } : undefined,
  });
  return sendFhir(request, reply, bundle);
}

function parseSearch(parameters: Parameters, strict: boolean, now: number) {
  const { criteria, understood, results, ignored } = readSearchRequest(parameters, strict, RESULTS);
  const left = [...ignored];
  const times: AskedPage['times'][number][] = [];
  const dropped = new Set<Parameters[number]>();
  if (results.offset) throw unsupported('_offset');
  for (const criterion of criteria) {
    const [name, value] = criterion;
    if (PATIENT.test(name)) continue;
    if (name === 'date')
      times.push(trimmedAlternatives(value).flatMap((one) => dateComparisons(dateCriterion(name, one), now)));
    else {
      dropped.add(criterion);
      leaveOut(unsupported(name), { strict, ignored: left });
    }
  }
  return { results, times, ignored: left, applied: understood.filter((one) => !dropped.has(one)) };
}

async function read(opened: Opened): Promise<FastifyReply> {
  const { request, reply, list, own } = opened;
  const { id } = request.params as { id: string };
  const found = FHIR_ID.test(id) ? list.find(own, id) : undefined;
  // A study that is hidden, or looked for, takes the same time (IA-7).
  const hidden = await hiddenStudies(opened);
  if (!found || (found.study !== null && hidden.includes(found.study))) throw noSuchResource();
  request.audit?.({ action: 'read', type: TYPE, patient: own.patient, target: id, outcome: ALLOWED });
  const resource = resourceOfAccess(found, opened);
  return sendRead(request, reply, { resource, version: contentVersion(resource) });
}

/**
 * Returns the keys of studies that the caller may not see now: withheld (IA-31), gone, or of somebody else. The right to the
 * list is the right to what it says of studies, so scopes of ImagingStudy are not asked for.
 */
async function hiddenStudies({ request, reply, list, own, options }: Opened): Promise<string[]> {
  const studies = list.studies(own);
  if (studies.size === 0) return [];
  const permissions = [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }] as const;
  const access = copyWith(request.access, { permissions });
  const images = options.studyImages(request.tenant, access, endOf(reply));
  const { studies: seen, failed } = await images.studiesOf(own.patient);
  // Without all sources it is not known what is withheld.
  if (failed[0]) throw failed[0];
  const shown = new Set(seen.flatMap(({ id, _studyUid: uid }) => [id, uid]));
  return [...studies].flatMap(([key, uid]) => (shown.has(uid) ? [] : [key]));
}

function resourceOfAccess({ id, event }: ListedAccess, { request, options }: Opened): FhirAuditEvent {
  const { resourceType, ...rest } = balpAuditEvent(event, tenantBase(options.baseUrl, request.tenant));
  return { resourceType, id, ...rest };
}
