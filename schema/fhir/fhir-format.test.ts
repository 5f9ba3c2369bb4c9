import { expect, test } from 'vitest';
import { requireFhirJson } from './fhir-format.ts';

test.each<[accept: string | undefined, format: string | undefined, taken: boolean]>([
  [undefined, undefined, true],
  ['', undefined, true],
  ['*/*', undefined, true],
  ['application/fhir+json', undefined, true],
  ['application/fhir+xml, application/json;q=0.1', undefined, true],
  ['text/html, application/*', undefined, true],
  ['application/fhir+xml', undefined, false],
  ['application/jsonp', undefined, false],
  ['application/fhir+json;q=0, application/fhir+xml', undefined, false],
  ['application/fhir+xml', 'json', true],
  ['application/fhir+xml', 'application/fhir json', true],
  ['*/*', 'application/fhir+json; fhirVersion=4.0', true],
  ['application/json', 'xml', false],
  ['application/json', 'jsonnet', false],
  ['application/json', '', true],
])('Accept %j with _format %j: %s', (accept, format, taken) => {
  const ask = () => requireFhirJson(accept, format);
  if (taken) expect(ask).not.toThrow();
  else expect(ask).toThrow(expect.objectContaining({ code: 'not_acceptable' }));
});

test.each<[accept: string, format: string | undefined, message: RegExp]>([
  [
    'text/csv',
    undefined,
    /^Accept names no format of FHIR REST here: .* application\/fhir\+json.*GraphQL gives rows as text\/csv/,
  ],
  ['application/fhir+xml', '', /^Accept names no format/],
  ['*/*', 'xml', /^The only format is application\/fhir\+json\. Leave _format out/],
])('Accept %j with _format %j is told which of them to change', (accept, format, message) => {
  expect(() => requireFhirJson(accept, format)).toThrow(message);
});
