import type { CapabilityStatement, CapabilityStatementRestResource } from 'fhir/r4.js';
import { STUDY_INCLUDES, STUDY_REFERENCES, STUDY_REVINCLUDES } from '../../../schema/fhir/joined-types.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { MADO_OPERATION } from './mado-operation.ts';
import { SQL_OPERATIONS, sqlOperationPath } from './sql-operations.ts';
import type { SmartConfiguration } from './ehr-configuration.ts';

const OAUTH_URIS = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris';

/** Search parameters of ImagingStudy (IA-13) with their types in the standard. */
const IMAGING_STUDY: CapabilityStatementRestResource['searchParam'] = [
  { name: '_id', type: 'token' },
  { name: '_lastUpdated', type: 'date' },
  { name: 'basedon', type: 'reference' },
  { name: 'bodysite', type: 'token' },
  { name: 'dicom-class', type: 'uri' },
  { name: 'encounter', type: 'reference' },
  { name: 'endpoint', type: 'reference' },
  { name: 'identifier', type: 'token' },
  { name: 'instance', type: 'token' },
  { name: 'interpreter', type: 'reference' },
  { name: 'modality', type: 'token' },
  { name: 'patient', type: 'reference' },
  { name: 'performer', type: 'reference' },
  { name: 'reason', type: 'token' },
  { name: 'referrer', type: 'reference' },
  { name: 'series', type: 'token' },
  { name: 'started', type: 'date' },
  { name: 'status', type: 'token' },
  { name: 'subject', type: 'reference' },
];

/** Accesses to the data of a patient. */
const ACCESS_LIST: CapabilityStatementRestResource = {
  type: 'AuditEvent',
  interaction: [{ code: 'read' }, { code: 'search-type' }],
  searchParam: [
    { name: 'date', type: 'date' },
    { name: 'patient', type: 'reference' },
  ],
};

const RECORD_INCLUDES = Object.keys({ ...STUDY_INCLUDES, ...STUDY_REFERENCES }).map(
  (code) => `ImagingStudy:${code}`,
);

/** Published questions. The tables are ViewDefinitions, which R4 does not know, so that none can be listed here. */
const QUESTIONS: CapabilityStatementRestResource = {
  type: 'Library',
  interaction: [{ code: 'read' }, { code: 'search-type' }],
  searchParam: [
    { name: '_id', type: 'token' },
    { name: 'name', type: 'string' },
    { name: 'url', type: 'uri' },
  ],
};

const sqlOperations = (base: string) =>
  SQL_OPERATIONS.map((name) => ({ name, definition: `${base}/${sqlOperationPath(name)}` }));

/** The parts of a CapabilityStatement that do not come from the tenant. */
export interface StatementParts {
  /** Public base of the whole server. */
  baseUrl: string;
  /** The EHR's discovery document with its endpoints; may be empty. */
  smart: SmartConfiguration;
  /** Interactions and parameters of the record's source, by resource type. */
  record: readonly CapabilityStatementRestResource[];
  /** Start of this server: the statement is valid since then. */
  started: Date;
  /** True if patients can list who has looked, as AuditEvents. */
  accessList?: boolean;
}

/** Returns the tenant's CapabilityStatement (SM-4). */
export function capabilityStatement(
  tenant: Tenant,
  { baseUrl, smart, record, started, accessList = false }: StatementParts,
): CapabilityStatement {
  const hasRecord = record.length > 0;
  // A store is not asked here whether it has AuditEvents of its own.
  const hasSql = tenant.analysis.enabled;
  const hasOwnEvents = !accessList && tenant.clinical.type === 'fhir';
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: started.toISOString(),
    kind: 'instance',
    instantiates: ['http://fhir.org/argonaut/smart-imaging/CapabilityStatement/smart-imaging-server'],
    software: { name: 'SMART Imaging Gateway' },
    implementation: {
      description: 'Clinical records and images of a patient',
      url: fhirBase(baseUrl, tenant),
    },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'json'],
    rest: [
      {
        mode: 'server',
        security: security(tenant, smart),
        resource: [
          ...record.filter(
            ({ type }) => (type !== 'AuditEvent' || hasOwnEvents) && !(hasSql && type === 'Library'),
          ),
          ...(hasSql ? [QUESTIONS] : []),
          ...(accessList ? [ACCESS_LIST] : []),
          { type: 'Endpoint', interaction: [{ code: 'read' }] } satisfies CapabilityStatementRestResource,
          {
            type: 'ImagingStudy',
            interaction: [{ code: 'read' }, { code: 'search-type' }],
            searchInclude: ['*', 'ImagingStudy:endpoint', ...(hasRecord ? RECORD_INCLUDES : [])],
            ...(hasRecord && { searchRevInclude: [...STUDY_REVINCLUDES] }),
            searchParam: IMAGING_STUDY,
            // It is 501 where nobody answers for it.
            ...(tenant.organization && {
              operation: [{ name: 'mado', definition: `${fhirBase(baseUrl, tenant)}/${MADO_OPERATION}` }],
            }),
          } satisfies CapabilityStatementRestResource,
        ].sort((a, b) => a.type.localeCompare(b.type)),
        ...(hasRecord && { compartment: ['http://hl7.org/fhir/CompartmentDefinition/patient'] }),
        interaction: [{ code: 'batch' }],
        operation: [
          { name: 'graphql', definition: 'http://hl7.org/fhir/OperationDefinition/Resource-graphql' },
          ...(hasSql ? sqlOperations(fhirBase(baseUrl, tenant)) : []),
        ],
      },
    ],
  };
}

function security(tenant: Tenant, smart: SmartConfiguration) {
  if (tenant.authorization.type === 'mock') return { cors: true };
  const endpoints = (
    [
      ['authorize', 'authorization_endpoint'],
      ['token', 'token_endpoint'],
      ['introspect', 'introspection_endpoint'],
      ['revoke', 'revocation_endpoint'],
      ['register', 'registration_endpoint'],
      ['manage', 'management_endpoint'],
    ] as const
  ).flatMap(([url, name]) => (typeof smart[name] === 'string' ? [{ url, valueUri: smart[name] }] : []));
  return {
    cors: true,
    service: [
      {
        coding: [
          { system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'SMART-on-FHIR' },
        ],
        text: 'OAuth2 using SMART-on-FHIR profile',
      },
    ],
    extension: endpoints.length > 0 ? [{ url: OAUTH_URIS, extension: endpoints }] : [],
  };
}
