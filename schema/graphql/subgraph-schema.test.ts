import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, isSpecifiedScalarType, parse, printType, type GraphQLSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { subgraphSchema } from './subgraph-schema.ts';

const sdlOf = (name: string) => readFileSync(new URL(`../${name}.graphql`, import.meta.url), 'utf8');

/** Prints every type, without built-in types and those of the federation specification. */
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
  const sdl = sdlOf(name);
  const ours = subgraphSchema(Buffer.from(sdl), () => resolvers);
  const theirs = buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers }]);

  it('has the types that buildSubgraphSchema makes', () => {
    expect(typesOf(ours)).toEqual(typesOf(theirs));
  });

  it.each([
    [
      'an entity',
      '{ _entities(representations: [{__typename: "Patient", id: "1"}]) { __typename ... on Patient { id } } }',
    ],
    [
      'an entity without a resolver',
      '{ _entities(representations: [{__typename: "ServiceRequest", id: "1"}]) { ... on ServiceRequest { id } } }',
    ],
    ['an unknown type', '{ _entities(representations: [{__typename: "Nothing", id: "1"}]) { __typename } }'],
  ])('answers for %s as the schema of buildSubgraphSchema does', async (_, query) => {
    const document = parse(query);
    const [own, expected] = await Promise.all(
      [ours, theirs].map((schema) => execute({ schema, document, contextValue: {} })),
    );
    expect(own).toEqual(expected);
  });

  it('returns its SDL', async () => {
    const { data } = await execute({ schema: ours, document: parse('{ _service { sdl } }') });
    expect((data as { _service: { sdl: string } })._service.sdl).toBe(sdl);
  });
});
