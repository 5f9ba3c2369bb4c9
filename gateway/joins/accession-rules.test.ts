import type { Resource, ServiceRequest } from 'fhir/r4.js';
import { expect, test } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { patientDirectory } from './record-directory.ts';

/** Identifiers of an order that are accession numbers: authorization uses only ACSN, however a tenant joins. */

const numbered = (code: string) => ({ value: `${code}-1`, type: { coding: [{ code }] } });
const order: ServiceRequest = {
  resourceType: 'ServiceRequest',
  id: 'o',
  status: 'active',
  intent: 'order',
  subject: { reference: 'Patient/p' },
  identifier: [...['ACSN', 'PLAC', 'FILL'].map(numbered), { value: 'untyped' }],
};
const directory = patientDirectory(() => ({
  read: async () => order,
  search: async (type) => ({ resources: (type === 'ServiceRequest' ? [order] : []) as Resource[] }),
}));
const access: Access = {
  tenant: 't',
  patients: [{ id: 'p' }],
  expires: 0,
  permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
};

function tenant(joins?: object) {
  const json = {
    authorization: { type: 'mock' },
    images: { type: 'dicom-web', lookup: 'studies-by-accession', endpoint: 'http://127.0.0.1:1/' },
    ...(joins && { joins }),
  };
  return parseTenant(json, { key: 't', path: 't', dynamic: false, directory: '/', environment: {} }).tenant;
}

test.each([[undefined], [{ accessionTypes: ['PLAC'] }], [{ requisition: true }]])(
  'joins %j: authorization uses only ACSN',
  async (joins) => {
    expect(await directory.accessionNumbers(tenant(joins), access, 'p')).toEqual(['ACSN-1']);
  },
);

test.each([[[]], [['']], ['ACSN']])('refuses accessionTypes %j', (accessionTypes) => {
  expect(() => tenant({ accessionTypes })).toThrow(/joins\.accessionTypes/);
});
