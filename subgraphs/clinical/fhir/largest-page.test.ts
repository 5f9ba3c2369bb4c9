/** R4 §3.1.1.5.3 a server may give fewer resources than `_count`: the self link says how many, and `next` leads to the rest. */
import type { Bundle } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { restSources, SOURCES } from '../test/rest-sources.ts';

const ids = Array.from({ length: 1_200 }, (_, index) => `o${index}`);
const { bundle } = restSources(
  [
    { resourceType: 'Patient', id: 'ana' },
    ...ids.map((id) => ({ resourceType: 'Observation', id, subject: { reference: 'Patient/ana' } })),
  ]
    .map((resource) => JSON.stringify(resource))
    .join('\n'),
);

const linkOf = ({ link }: Bundle, relation: string) => link?.find((one) => one.relation === relation)?.url;

describe.each(SOURCES)('%s', (source) => {
  it.each(['/Observation?patient=ana&_count=5000', '/Patient/ana/Observation?_count=1001'])(
    '%s is cut at the largest page, and its links say so',
    async (path) => {
      const first = await bundle(source, path);
      expect(first.entry).toHaveLength(1_000);
      expect(linkOf(first, 'self')).toContain('_count=1000');
      const next = linkOf(first, 'next')!;
      expect(next).toContain('_count=1000');
      const second = await bundle(source, next.slice(next.indexOf('/fhir') + '/fhir'.length));
      expect(linkOf(second, 'next')).toBeUndefined();
      const found = [first, second].flatMap(({ entry }) => entry!.map(({ resource }) => resource!.id));
      expect(found.toSorted()).toEqual(ids.toSorted());
    },
  );
});
