import type { CapabilityStatement, CapabilityStatementRestResource } from 'fhir/r4.js';
import { tenantBase } from '../../../schema/http/request.ts';
import { operationsAt } from '../../../schema/fhir/operations.ts';
import { clinicalResources, searchParameters } from '../../../schema/fhir/tables.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { SmartConfiguration } from './smart-configuration.ts';

const OAUTH_URIS = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris';

/** Search parameters of ImagingStudy (IA-13) with their types in the standard. */
const IMAGING_STUDY: CapabilityStatementRestResource['searchParam'] = [
  { name: '_id', type: 'token' },
  { name: '_lastUpdated', type: 'date' },
  { name: 'basedon', type: 'reference' },
  { name: 'bodysite', type: 'token' },
  { name: 'dicom-class', type: 'uri' },
  { name: 'identifier', type: 'token' },
  { name: 'instance', type: 'token' },
  { name: 'modality', type: 'token' },
  { name: 'patient', type: 'reference' },
  { name: 'series', type: 'token' },
  { name: 'started', type: 'date' },
  { name: 'status', type: 'token' },
  { name: 'subject', type: 'reference' },
];

/** Parameter types that no source supports. */
const UNSEARCHED = new Set(['special', 'composite']);

/**
 * Returns the tenant's CapabilityStatement (SM-4), made from the same tables as the schema.
 * @param smart the EHR's discovery document with its endpoints; may be empty
 * @param started start of this server: the statement is valid since then
 */
export function capabilityStatement(
  tenant: Tenant,
  baseUrl: string,
  smart: SmartConfiguration,
  started: Date,
): CapabilityStatement {
  const clinical = tenant.clinical.type === 'none' ? [] : clinicalResources.map(clinicalResource);
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: started.toISOString(),
    kind: 'instance',
    instantiates: ['http://fhir.org/argonaut/smart-imaging/CapabilityStatement/smart-imaging-server'],
    software: { name: 'SMART Imaging Gateway' },
    implementation: {
      description: 'Clinical records and images of a patient',
      url: `${tenantBase(baseUrl, tenant)}/fhir`,
    },
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [
      {
        mode: 'server',
        security: security(tenant, smart),
        resource: [
          ...clinical,
          { type: 'Endpoint', interaction: [{ code: 'read' }] } satisfies CapabilityStatementRestResource,
          {
            type: 'ImagingStudy',
            interaction: [{ code: 'read' }, { code: 'search-type' }],
            searchInclude: ['*', 'ImagingStudy:endpoint'],
            searchParam: IMAGING_STUDY,
          } satisfies CapabilityStatementRestResource,
        ].sort((a, b) => a.type.localeCompare(b.type)),
        interaction: [{ code: 'batch' }],
        operation: [
          { name: 'graphql', definition: 'http://hl7.org/fhir/OperationDefinition/Resource-graphql' },
        ],
      },
    ],
  };
}

function clinicalResource(type: string): CapabilityStatementRestResource {
  return {
    type: type as CapabilityStatementRestResource['type'],
    interaction: [{ code: 'read' }, { code: 'search-type' }],
    searchParam: searchParameters(type)
      .filter((parameter) => !UNSEARCHED.has(parameter.type))
      .map(({ code, type }) => ({ name: code, type })),
    operation: operationsAt(type),
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
