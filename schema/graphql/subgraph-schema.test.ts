import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, isSpecifiedScalarType, parse, printType, type GraphQLSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { subgraphSchema } from './subgraph-schema.ts';

const sdlOf = (name: string) =>
  parse(readFileSync(new URL(`../${name}.graphql`, import.meta.url), 'utf8'), { noLocation: true });

/** Every type as text, without the specification's own and without descriptions that only it has. */
function typesOf(schema: GraphQLSchema): Record<string, string> {
  const own = Object.values(schema.getTypeMap()).filter(
    (type) => !isSpecifiedScalarType(type) && !/^(__|federation__|link__)/.test(type.name),
  );
  const sorted = (type: string) => type.split(/\n| \| | = /).sort();
  return Object.fromEntries(own.map((type) => [type.name, sorted(printType(type)).join('\n')]));
}

describe.each(['clinical', 'imaging'])('the schema of the %s subgraph', (name) => {
  const resolvers = {
    Patient: { __resolveReference: ({ id }: { id: string }) => ({ id, _echo: id }), id: () => 'resolved' },
  };
  const typeDefs = sdlOf(name);
  const ours = subgraphSchema(typeDefs, resolvers);
  const theirs = buildSubgraphSchema([{ typeDefs, resolvers }]);

  it('has the types that buildSubgraphSchema makes', () => {
    expect(typesOf(ours)).toEqual(typesOf(theirs));
  });

  it.each([
    [
      'an entity',
      '{ _entities(representations: [{__typename: "Patient", id: "1"}]) { __typename ... on Patient { id } } }',
    ],
    [
      'one without a resolver',
      '{ _entities(representations: [{__typename: "ServiceRequest", id: "1"}]) { ... on ServiceRequest { id } } }',
    ],
    ['one of no type', '{ _entities(representations: [{__typename: "Nothing", id: "1"}]) { __typename } }'],
  ])('answers for %s as buildSubgraphSchema has it answer', async (_, query) => {
    const document = parse(query);
    const [own, expected] = await Promise.all(
      [ours, theirs].map((schema) => execute({ schema, document, contextValue: {} })),
    );
    expect(own).toEqual(expected);
  });

  it('tells its SDL', async () => {
    const { data } = await execute({ schema: ours, document: parse('{ _service { sdl } }') });
    expect((data as { _service: { sdl: string } })._service.sdl).toContain('@key(fields: "id")');
  });
});
