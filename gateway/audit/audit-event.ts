import type { AuditEvent as FhirAuditEvent, AuditEventEntity, Coding } from 'fhir/r4.js';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { DICOM_UID_SYSTEM } from '../../schema/fhir/fhir.ts';

/** IHE Basic Audit Log Patterns (ITI TF, BALP 1.1): the events of §3:5.7.3 (read), §3:5.7.5 (query), and RAD-107. */

const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem';
const PROFILES = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit';

interface Pattern {
  type: Coding;
  subtype: Coding;
  action: FhirAuditEvent['action'];
  /** Name of the BALP profile; the prefix `Patient` names its form for one patient. */
  profile?: 'Read' | 'Query';
}

const REST = { system: `${TERMINOLOGY}/audit-event-type`, code: 'rest', display: 'Restful Operation' };
const interaction = (code: string) => ({ system: 'http://hl7.org/fhir/restful-interaction', code });

const PATTERNS: Record<AuditEvent['action'], Pattern> = {
  read: { type: REST, subtype: interaction('read'), action: 'R', profile: 'Read' },
  search: { type: REST, subtype: interaction('search'), action: 'E', profile: 'Query' },
  operation: { type: REST, subtype: interaction('operation'), action: 'E' },
  retrieve: {
    type: { system: DCM, code: '110104', display: 'DICOM Instances Transferred' },
    subtype: { system: 'urn:ihe:event-type-code', code: 'RAD-107', display: 'WADO-RS Retrieve' },
    action: 'R',
  },
};

const OUTCOMES = { allowed: '0', denied: '4', left: '4', failed: '8' } as const;

/**
 * Writes an event as a FHIR R4 AuditEvent. Only a successful one claims a BALP profile: the patterns are for successes.
 * @param base public base URL of the tenant, for the agent that is this server
 */
export function balpAuditEvent(event: AuditEvent, base: string): FhirAuditEvent {
  const { type, subtype, action, profile } = PATTERNS[event.action];
  const { outcome } = event;
  const claimed =
    profile && outcome.kind === 'allowed' && `${PROFILES}.${event.patient ? 'Patient' : ''}${profile}`;
  return {
    resourceType: 'AuditEvent',
    ...(claimed && { meta: { profile: [claimed] } }),
    type,
    subtype: [subtype],
    action,
    recorded: event.time,
    outcome: OUTCOMES[outcome.kind],
    ...('code' in outcome && { outcomeDesc: outcome.code }),
    ...(outcome.kind === 'left' && { outcomeDesc: 'client left' }),
    agent: [
      {
        type: { coding: [{ system: DCM, code: '110153', display: 'Source Role ID' }] },
        who: event.client === undefined ? { display: 'unknown' } : { identifier: { value: event.client } },
        requestor: event.user === undefined,
      },
      {
        type: { coding: [{ system: DCM, code: '110152', display: 'Destination Role ID' }] },
        who: { display: base },
        requestor: false,
        network: { address: base, type: '5' },
      },
      ...(event.user === undefined ? [] : [userAgent(event.user)]),
    ],
    source: {
      site: event.tenant,
      observer: { display: base },
      type: [{ system: `${TERMINOLOGY}/security-source-type`, code: '4', display: 'Application Server' }],
    },
    entity: entities(event),
  };
}

function userAgent(user: string): FhirAuditEvent['agent'][number] {
  const coding = [{ system: `${TERMINOLOGY}/v3-ParticipationType`, code: 'IRCP' }];
  return { type: { coding }, who: { identifier: { value: user } }, requestor: true };
}

/** Detail of a study whose data the gateway does not send itself. */
const HANDED_OVER = 'access handed to the proxy; what it sent is not known';

/** Detail of a request whose answer did not arrive as a whole. */
const BROKEN_OFF = 'the client closed the connection before it had the whole answer';

const entityType = (code: string, display: string) => ({
  system: `${TERMINOLOGY}/audit-entity-type`,
  code,
  display,
});
const role = (code: string, display: string) => ({ system: `${TERMINOLOGY}/object-role`, code, display });
const SYSTEM_OBJECT = entityType('2', 'System Object');

function entities({
  action,
  type,
  patient,
  study,
  target,
  query,
  patients,
  tool,
  rows,
  tables,
  share,
  isHandedOver,
  request,
  outcome,
}: AuditEvent): AuditEventEntity[] {
  const found: AuditEventEntity[] = [
    {
      // BALP §3:5.7.9: all events of a request have its id.
      type: {
        system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType',
        code: 'XrequestId',
      },
      what: { identifier: { value: request } },
      ...(outcome.kind === 'left' && { detail: [{ type: 'transfer', valueString: BROKEN_OFF }] }),
    },
  ];
  if (tool !== undefined) {
    const description = 'Tool that an assistant called by the Model Context Protocol';
    found.push({ type: entityType('4', 'Other'), name: tool, description });
  }
  if (share !== undefined) {
    const { id, event, recipient } = share;
    found.push({
      type: SYSTEM_OBJECT,
      what: { identifier: { value: id } },
      description: `SMART Health Link: ${event}`,
      detail: recipient === undefined ? undefined : [{ type: 'recipient', valueString: recipient }],
    });
  }
  if (patient !== undefined) {
    const what = { reference: `Patient/${patient}` };
    found.push({ type: entityType('1', 'Person'), role: role('1', 'Patient'), what });
  }
  if (study !== undefined) {
    found.push({
      type: SYSTEM_OBJECT,
      role: role('3', 'Report'), // PS3.15 §A.5.3, for a study
      what: { identifier: { system: DICOM_UID_SYSTEM, value: `urn:oid:${study}` } },
      ...(action === 'retrieve' && target !== undefined && { description: target }),
      ...(isHandedOver && { detail: [{ type: 'transfer', valueString: HANDED_OVER }] }),
    });
  }
  if (action === 'read' && study === undefined && type !== undefined && target !== undefined) {
    const what = { reference: `${type}/${target}` };
    found.push({ type: SYSTEM_OBJECT, role: role('4', 'Domain Resource'), what });
  }
  if (action === 'search') {
    const text = Buffer.from(query ?? type ?? '').toString('base64');
    const said = { patients, rows, tables: tables?.join(', ') };
    const detail = Object.entries(said).flatMap(([type, value]) =>
      value === undefined ? [] : [{ type, valueString: `${value}` }],
    );
    found.push({
      type: SYSTEM_OBJECT,
      role: role('24', 'Query'),
      query: text,
      ...(detail.length > 0 && { detail }),
    });
  }
  return found;
}
