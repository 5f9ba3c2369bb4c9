import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configurationPage } from './configuration.ts';
import { withGeneratedPart } from './generated-part.ts';

const page = readFileSync(new URL('../configuration.md', import.meta.url), 'utf8');

test('the page lists every key of a tenant and every variable with its default (npm run docs)', () => {
  expect(configurationPage(page)).toBe(page);
});

test.each([
  [/^\| `PORT` \| `4000` \|/m],
  [/^\| `DYN_TENANTS` \| `on` when/m],
  [/^\| `introspectionTtl` \| number 0 to 3600 \| `30` \|/m],
  [/^\| `fhirBaseUrl` \| string \| required, except for `embedded`, `mock` \|/m],
  [/^\| `authentication.password` \| string \| required \| Only `http-basic`\./m],
  [/^\| `path` \| string \| required \| Only `folder`\. Folder of DICOM/m],
  [/^\| `client` \| object \| – \| Not `embedded`\./m],
  [/^\| `connections.searches` \| integer 1 to 256 \| `16` or `4` \|/m],
])('%s', (row) => {
  expect(configurationPage(page)).toMatch(row);
});

test('refuses a page without the marks of a table', () => {
  expect(() => withGeneratedPart('<!-- end of a -->', 'a', '')).toThrow('no place for: a');
});
