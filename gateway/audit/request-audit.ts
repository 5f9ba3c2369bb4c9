import { copyWith } from '../../schema/process/copy-with.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import type { AuditEvent, Operation, Outcome, RecordOperation } from '../../schema/access/audit.ts';
import { ALLOWED, CLIENT_LEFT, outcomeOf } from '../../schema/access/audit.ts';
import { askedRequest, compartmentNamed, resourceOf, studyNamed } from '../../schema/http/served.ts';
import { UID } from '../../schema/dicom/dicom.ts';
import { toFault, type FaultDetails } from '../../schema/fault/fault.ts';
import { hasLeft } from '../../schema/http/client-left.ts';
import { FHIR_ID } from '../../schema/fhir/fhir.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';

/** The part of a tenant that says where its audit records go. */
export type AuditedTenant = Pick<Tenant, 'key' | 'path' | 'dynamic' | 'audit'>;

export interface AuditEvents {
  /** Sends an event to the audit destination of the tenant; never throws and never waits. */
  (tenant: AuditedTenant, event: AuditEvent): void;
  /** Writes the events that are to be written at once: an answer is not sent before its records. */
  flush?(): void;
}

/** Tenant of the records of requests whose configuration in the URL was refused (SM-15). */
const REFUSED_DYNAMIC: AuditedTenant = {
  key: 'dyn',
  path: 'dyn',
  dynamic: false,
  audit: { type: 'stdout', keep: 0 },
};

const STATE = Symbol('audit');
interface State {
  record: RecordOperation;
  recorded: Set<string>;
  outcome?: Outcome;
  /** Of a request that was refused before it had an Access. */
  caller?: FaultDetails['caller'];
}
const REPLY = Symbol('reply');
const ELSEWHERE = Symbol('recorded elsewhere');
type Audited = FastifyRequest & { [STATE]?: State; [REPLY]?: FastifyReply; [ELSEWHERE]?: true };

/**
 * Gives every request its recorder. Records those that no core recorded: refused by authorization, malformed, or ended
 * before a core was asked. So every answered request for data leaves at least one record (IA-30).
 */
export function auditRequests(app: FastifyInstance, events: AuditEvents): void {
  app.decorateRequest('audit', {
    getter(this: Audited): RecordOperation {
      return stateOf(this, events).record;
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    (request as Audited)[REPLY] = reply;
    done();
  });
  app.addHook('onError', (...[request, , error, done]) => {
    const state = stateOf(request, events);
    state.outcome = outcomeOf(error);
    state.caller = toFault(error).details.caller;
    done();
  });
  app.addHook('onSend', (...[, , , done]) => {
    events.flush?.();
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const state = isAudited(request) ? stateOf(request, events) : undefined;
    if (state?.recorded.size === 0 && !(request as Audited)[ELSEWHERE]) {
      const isAnswered = reply.raw.writableEnded && !hasLeft(reply);
      const answered = isAnswered ? outcomeOfStatus(reply.statusCode) : CLIENT_LEFT;
      const outcome = state.outcome ?? answered;
      state.record({ outcome, ...askedFor(request) });
    }
    done();
  });
}

/** Tells that the process of a subgraph has been asked: it records the operations of this request. */
export function recordedElsewhere(request: Audited): void {
  request[ELSEWHERE] = true;
}

/** Tells if a request is for data of a tenant, or of a refused dynamic one; a CORS preflight and discovery are not. */
function isAudited({ method, routeOptions, tenant, isPassedOn }: FastifyRequest): boolean {
  const { url, config } = routeOptions;
  if (isPassedOn) return false;
  if (method === 'OPTIONS' || config.open === true || url === undefined) return false;
  return tenant !== undefined || url.startsWith('/dyn/:encoded');
}

function stateOf(request: Audited, events: AuditEvents): State {
  return (request[STATE] ??= newState(request, events));
}

function newState(request: FastifyRequest, events: AuditEvents): State {
  const recorded = new Set<string>();
  return {
    recorded,
    record(asked) {
      const reply = (request as Audited)[REPLY];
      // A core that has given its data has done so, whoever is there to take them.
      const isOpen =
        asked.outcome.kind === 'failed' || (asked.action === 'operation' && asked.outcome === ALLOWED);
      const operation = isOpen && reply && hasLeft(reply) ? copyWith(asked, { outcome: CLIENT_LEFT }) : asked;
      // A GraphQL request may ask a core the same thing many times: that is one access.
      const key = JSON.stringify(operation);
      if (recorded.has(key)) return;
      recorded.add(key);
      const { client, user } = accessOf(request) ?? stateOf(request, events).caller ?? {};
      const { tenant = REFUSED_DYNAMIC } = request as { tenant?: AuditedTenant };
      const caller = {
        tenant: tenant.key,
        client,
        user,
        request: request.id,
        time: new Date().toISOString(),
      };
      events(tenant, copyWith(operation, caller));
    },
  };
}

/** Returns the access of a request; undefined when it was not authorized, where reading `access` throws. */
function accessOf(request: FastifyRequest): Access | undefined {
  try {
    return request.access;
  } catch {
    return undefined;
  }
}

/** Describes a request that reached no core, by its route and its query. */
function askedFor(request: FastifyRequest): Omit<Operation, 'outcome'> {
  const asked = askedRequest(request);
  const { serves, params, query } = asked;
  const resource = resourceOf(asked) ?? '';
  const isOfResource = ['read', 'search', 'retrieve'].includes(serves.interaction);
  if (!isOfResource || !/^[A-Z][A-Za-z]{1,39}$/.test(resource)) return { action: 'operation' };
  const action = serves.interaction as 'read' | 'search' | 'retrieve';
  if (request.routeOptions.config.api === 'dicomweb') {
    const study = studyNamed(asked);
    return { action, type: resource, ...(study !== undefined && UID.test(study) && { study }) };
  }
  const searched = compartmentNamed(asked) ?? query.get('patient')?.replace(/^Patient\//, '');
  const named = action === 'read' ? params['id'] : searched;
  if (named === undefined || !FHIR_ID.test(named)) return { action, type: resource };
  if (action === 'search') return { action, type: resource, patient: named };
  return { action, type: resource, ...(resource === 'Patient' && { patient: named }), target: named };
}

function outcomeOfStatus(status: number): Outcome {
  return status < 400 ? ALLOWED : { kind: status < 500 ? 'denied' : 'failed', code: codeOfStatus(status) };
}

/** Returns the code for an answer without a fault, such as to a GraphQL document that does not validate. */
function codeOfStatus(status: number): ReturnType<typeof toFault>['code'] {
  return status === 400 ? 'invalid_request' : status === 404 ? 'not_found' : 'internal';
}
