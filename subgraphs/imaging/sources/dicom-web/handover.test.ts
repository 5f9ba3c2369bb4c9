import { expect, test } from 'vitest';
import { parseTenant } from '../../../../schema/tenant/tenant.ts';
import { handoverTo } from './handover.ts';

/** Returns the headers for a study of a tenant. @param source replaces settings of its image source */
function headersFor(
  source: object,
  {
    dynamic = false,
    withhold = [] as object[],
    others = [] as object[],
    path = '/studies/1.2',
    isDirect = true,
    isAsking = true,
  } = {},
) {
  const images = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://orthanc:8042/dicom-web' };
  const file = { authorization: { type: 'mock', withhold }, images: [{ ...images, ...source }, ...others] };
  const origin = { key: 't', path: 't', dynamic, directory: '/', environment: {} };
  const { tenant } = parseTenant(file, origin);
  const handover = handoverTo({ isAsking: () => isAsking, isDirect: () => isDirect });
  const asked = () => handover(tenant, { headers: {}, path, accept: 'a/b' });
  const first = asked();
  expect(asked(), 'for a tenant that it knows').toEqual(first);
  return first;
}

test.each([
  ['http://orthanc:8042/dicom-web', '/_accel/http/orthanc:8042/dicom-web/studies/1.2'],
  ['http://orthanc:8042/dicom-web/', '/_accel/http/orthanc:8042/dicom-web/studies/1.2'],
  ['HTTPS://PACS.example.org:443/a/b.c/rs', '/_accel/https/pacs.example.org/a/b.c/rs/studies/1.2'],
  ['http://[FD00::9]:80', '/_accel/http/[fd00::9]/studies/1.2'],
  ['http://h/a/../../b', '/_accel/http/h/b/studies/1.2'],
  ['http://h/%2e%2e/b', '/_accel/http/h/b/studies/1.2'],
  ['http://h/a%2fb', undefined],
  ['http://h/a//b', undefined],
  ['http://h/a?b', undefined],
  ['http://h/a#b', undefined],
  ['http://h/ä', undefined],
  ['http://user:word@h/a', undefined],
])('the archive %s is at %s', (endpoint, path) => {
  expect(headersFor({ endpoint })?.['x-handover-redirect']).toBe(path);
});

test.each([
  [{ type: 'open' }, undefined],
  [{ type: 'http-basic', username: 'u', password: 'p\r\nX: y' }, `Basic ${btoa('u:p\r\nX: y')}`],
  [{ type: 'bearer', token: 't' }, 'Bearer t'],
])('with the authentication %j it is asked with %j', (authentication, authorization) => {
  const headers = headersFor({ authentication });
  expect(headers).toMatchObject({ 'x-handover-accept': 'a/b' });
  expect(headers!['x-handover-authorization']).toBe(authorization);
});

const OTHER = { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://other' };
const OAUTH = { type: 'oauth2', tokenUrl: 'http://h/t', client_id: 'c', client_secret: 's' };
test.each<[string, object, Parameters<typeof headersFor>[1]]>([
  ['a tenant in the URL', {}, { dynamic: true }],
  ['several sources', {}, { others: [OTHER] }],
  ['studies that are withheld', {}, { withhold: [{ modality: ['US'] }] }],
  ['certificates', { tls: { ca: '/ca.pem' } }, {}],
  ['a token from an authorization server', { authentication: OAUTH }, {}],
  ['a proxy between the gateway and the archive', {}, { isDirect: false }],
  ['a request that did not come through it', {}, { isAsking: false }],
  ['a long list of frames', {}, { path: `/studies/${'1'.repeat(2000)}` }],
  ['DIMSE', { type: 'dicom-dimse', endpoint: 'dimse://h:1' }, {}],
  [
    'a token that is no header',
    { authentication: { type: 'bearer', token: 'a\r\nX-Accel-Redirect: /b' } },
    {},
  ],
])('with %s the gateway asks', (_what, source, options) => {
  expect(headersFor(source, options)).toBeUndefined();
});
