import { buildSubgraphSchema } from '@apollo/subgraph';
import { graphql, parse } from 'graphql';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { datatypeResolvers } from './datatype-resolvers.ts';
import { ItemSelector } from '../expressions/item-selector.ts';
import { ExpressionPool } from '../expressions/pool.ts';

/** Both subgraphs use the same resolvers; these tests use the imaging SDL and one study. */
const typeDefs = parse(readFileSync(new URL('../imaging.graphql', import.meta.url), 'utf8'));
const study = {
  resourceType: 'ImagingStudy',
  id: '1.2.3',
  identifier: [
    { use: 'official', system: 'urn:dicom:uid', value: 'urn:oid:1.2.3' },
    { use: 'secondary', value: 'ACC' },
  ],
  subject: { reference: 'Patient/p' },
  _started: { extension: [{ url: 'urn:why' }] },
  series: [
    { uid: '1', number: 1, instance: [{ uid: '1.1', number: 1 }] },
    { uid: '2', number: 2, instance: [{ uid: '2.1', number: 1 }, null, { uid: '2.2', number: 2 }] },
  ],
  contained: [{ resourceType: 'Endpoint', id: 'e' }, { resourceType: 'VisionPrescription' }, null],
};
const expressions = new ExpressionPool();
afterAll(() => expressions.close());
const ask = (selection: string) =>
  graphql({ schema, source: `{ ImagingStudy(id: "1.2.3") { ${selection} } }`, contextValue: {} });
const schema = buildSubgraphSchema([
  {
    typeDefs,
    resolvers: {
      Query: { ImagingStudy: () => study },
      ...datatypeResolvers(
        typeDefs,
        ({ reference }, _context, type) =>
          type && type !== 'Patient' ? undefined : { __typename: 'Patient', id: reference!.split('/')[1]! },
        new ItemSelector(expressions),
      ),
    } as never,
  },
]);

describe('FG-4 datatypes', () => {
  const cases: [selection: string, value: unknown][] = [
    ['identifier(use: secondary) { value }', { identifier: [{ value: 'ACC' }] }],
    [
      'identifier(system: "urn:dicom:uid", use: "official") { value }',
      { identifier: [{ value: 'urn:oid:1.2.3' }] },
    ],
    ['identifier(system: "urn:dicom:uid", use: secondary) { value }', { identifier: [] }],
    ['series(_offset: 1, _count: 1) { uid }', { series: [{ uid: '2' }] }],
    ['series(_count: 0) { uid }', { series: [] }],
    ['series(fhirpath: "number > 1") { uid }', { series: [{ uid: '2' }] }],
    [
      'series(fhirpath: "instance.count() > 1") { instance(_count: 1) { uid } }',
      { series: [{ instance: [{ uid: '2.1' }] }] },
    ],
    [
      'series { instance { uid } }',
      { series: [{ instance: [{ uid: '1.1' }] }, { instance: [{ uid: '2.1' }, { uid: '2.2' }] }] },
    ],
    [
      'started _started { extension { url } }',
      { started: null, _started: { extension: [{ url: 'urn:why' }] } },
    ],
    [
      'subject { reference resource { ... on Patient { id } } }',
      { subject: { reference: 'Patient/p', resource: { id: 'p' } } },
    ],
    ['subject { resource(type: Group) { __typename } }', { subject: { resource: null } }],
    ['contained { __typename }', { contained: [{ __typename: 'Endpoint' }, null, null] }],
    ['note { text }', { note: null }],
  ];
  it.each(cases)('%s', async (selection, value) => {
    const result = await ask(selection);
    expect(JSON.parse(JSON.stringify(result))).toEqual({ data: { ImagingStudy: value } });
  });

  it.each([
    'series(fhirpath: "number >") { uid }',
    'series(fhirpath: "trace(\'x\')") { uid }',
    'series(fhirpath: "%resource.exists()") { uid }',
    `series(fhirpath: "${'number > 0 and '.repeat(60)}true") { uid }`,
    'series(_offset: -1) { uid }',
  ])('refuses %s', async (selection) => {
    const { errors } = await ask(selection);
    expect(errors?.[0]?.extensions).toEqual({ code: 'invalid_request', status: 400 });
  });
});
