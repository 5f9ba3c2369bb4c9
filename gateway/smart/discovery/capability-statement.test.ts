import { describe, expect, test } from 'vitest';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { capabilityStatement, type StatementParts } from './capability-statement.ts';

/** The resources that a tenant says it has. */
function statedBy(record: StatementParts['record'], more: object = {}) {
  const file = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'dicom-web', endpoint: 'https://pacs.example.org/dicom-web', lookup: 'studies-by-mrn' },
    clinical: { type: 'none' },
    ...more,
  };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  const { tenant } = parseTenant(file, origin);
  const smart = { capabilities: [] };
  const statement = capabilityStatement(tenant, {
    baseUrl: 'https://x',
    smart,
    record,
    started: new Date(0),
  });
  return statement.rest![0]!.resource!;
}

/** The same, with the interactions of each. */
function resourcesOf(record: StatementParts['record']): Record<string, string[]> {
  const resources = statedBy(record).map(({ type, interaction = [] }) => [
    type,
    interaction.map(({ code }) => code),
  ]);
  return Object.fromEntries(resources) as Record<string, string[]>;
}

describe('SM-4 the CapabilityStatement lists nothing that does not work', () => {
  test('of the record it lists what the source claims, in order', () => {
    const resources = resourcesOf([
      { type: 'Patient', interaction: [{ code: 'read' }] },
      { type: 'Condition', interaction: [{ code: 'search-type' }] },
    ]);
    expect(Object.entries(resources)).toEqual([
      ['Condition', ['search-type']],
      ['Endpoint', ['read']],
      ['ImagingStudy', ['read', 'search-type']],
      ['Patient', ['read']],
    ]);
  });

  test.each([
    [{}, undefined],
    [
      { organization: { name: 'Hospital' } },
      [{ name: 'mado', definition: 'https://x/t/fhir/OperationDefinition/ImagingStudy-mado' }],
    ],
  ])('IA-47 %j: operations %j', (more, operations) => {
    expect(statedBy([], more).find(({ type }) => type === 'ImagingStudy')?.operation).toEqual(operations);
  });

  test('a tenant without a clinical record has images alone', () => {
    expect(Object.keys(resourcesOf([]))).toEqual(['Endpoint', 'ImagingStudy']);
  });
});
