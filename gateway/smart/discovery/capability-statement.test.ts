import { describe, expect, test } from 'vitest';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { capabilityStatement } from './capability-statement.ts';

/** The resources that a tenant says it has, with the interactions of each. */
function resourcesOf(more: object): Record<string, string[]> {
  const file = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'dicom-web', endpoint: 'https://pacs.example.org/dicom-web', lookup: 'studies-by-mrn' },
    ...more,
  };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  const { tenant } = parseTenant(file, origin);
  const statement = capabilityStatement(tenant, 'https://x', { capabilities: [] }, new Date(0));
  const resources = statement.rest![0]!.resource!.map(({ type, interaction = [] }) => [
    type,
    interaction.map(({ code }) => code),
  ]);
  return Object.fromEntries(resources) as Record<string, string[]>;
}

describe('SM-4 the CapabilityStatement lists nothing that does not work', () => {
  test('no type can be written', () => {
    const resources = resourcesOf({ clinical: { type: 'store', path: '/records' } });
    expect(resources).toMatchObject({
      Condition: ['read', 'search-type'],
      Endpoint: ['read'],
      ImagingStudy: ['read', 'search-type'],
      Patient: ['read', 'search-type'],
    });
    expect([...new Set(Object.values(resources).flat())].sort()).toEqual(['read', 'search-type']);
  });

  test('a tenant without a clinical record has images alone', () => {
    expect(Object.keys(resourcesOf({ clinical: { type: 'none' } }))).toEqual(['Endpoint', 'ImagingStudy']);
  });
});
