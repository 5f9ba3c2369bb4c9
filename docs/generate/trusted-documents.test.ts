import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { documentIdOf, trustedManifest } from '../../schema/graphql/trusted-manifest.ts';
import { GraphRecords } from '../../viewer/src/data/graph/graph-source.ts';
import type { Transport } from '../../viewer/src/data/transport.ts';
import { trustedDocumentsFile } from './trusted-documents.ts';

const committed = readFileSync(new URL('../../schema/trusted-documents.json', import.meta.url), 'utf8');

test('FG-13 the manifest has the documents of the pages and tools as they are (npm run docs)', () => {
  expect(trustedDocumentsFile()['trusted-documents.json']).toBe(committed);
});

test('FG-13 the viewer sends the texts of the manifest', async () => {
  const trusted = trustedManifest.parse(JSON.parse(committed));
  const sent: string[] = [];
  const stream: Transport['stream'] = async (_address, { body }) => {
    sent.push((JSON.parse(body as string) as { query: string }).query);
    throw new Error('enough');
  };
  const records = new GraphRecords('http://localhost/t', { stream } as Transport);
  const { signal } = new AbortController();
  await expect(records.record('p1', signal)).rejects.toThrow();
  await expect(records.trend('p1', '8310-5', signal)).rejects.toThrow();
  await expect(records.priors('1.2.3', signal)).rejects.toThrow();
  expect(sent).toHaveLength(3);
  for (const text of sent) expect(trusted.get(documentIdOf(text))).toBe(text);
});
