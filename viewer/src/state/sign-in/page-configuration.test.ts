import { expect, test } from 'vitest';
import { pageConfiguration } from './page-configuration.ts';

/** A page as the browser reads it: its elements with an id. */
function pageOf(html: string): Document {
  const texts = new Map([...html.matchAll(/id="([\w-]+)">([^<]*)</g)].map(([, id, text]) => [id, text]));
  const getElementById = (id: string) => (texts.has(id) ? { textContent: texts.get(id) } : null);
  return { getElementById } as unknown as Document;
}

test('what the gateway writes is read; a page of another web server has nothing to read', () => {
  const configuration = {
    base: 'https://gateway.example/',
    tenants: ['hospital'],
    defaultTenant: 'hospital',
    smart: { tenant: 'hospital', configuration: { issuer: 'https://a.example/</script>', capabilities: [] } },
  };
  const json = JSON.stringify(configuration).replaceAll('<', '\\u003c');
  const block = `<script type="application/json" id="viewer-configuration">${json}</script>`;
  expect(pageConfiguration(pageOf(`${block}<div id="app"></div>`))).toEqual(configuration);
  expect(pageConfiguration(pageOf('<div id="app"></div>'))).toBeUndefined();
});
