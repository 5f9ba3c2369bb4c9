import { expect, test } from 'vitest';
import { wadoEndpoint } from './endpoint.ts';
import { complaints } from '../test/fhir-judges.ts';

test('IA-17 the Endpoint is valid, and says under both URLs that it requires the token', () => {
  const endpoint = wadoEndpoint({ address: 'https://gateway.example/open/dicomweb' });
  expect(endpoint).toMatchObject({
    status: 'active',
    connectionType: {
      system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
      code: 'dicom-wado-rs',
    },
    address: 'https://gateway.example/open/dicomweb',
    extension: [
      {
        url: 'http://hl7.org/fhir/smart-app-launch/StructureDefinition/requires-access-token',
        valueBoolean: true,
      },
      {
        url: 'http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token',
        valueBoolean: true,
      },
    ],
  });
  expect(complaints(endpoint)).toEqual([]);
});
