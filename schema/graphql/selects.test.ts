import { Kind, parse, type FieldNode, type GraphQLResolveInfo } from 'graphql';
import { expect, test } from 'vitest';
import { mayBeDeferred, selects } from './selects.ts';

/** What a resolver of `list` is told of a document. */
function infoOf(document: string, variableValues = {}) {
  const { definitions } = parse(document);
  const fragments: Record<string, unknown> = {};
  let fieldNodes: FieldNode[] = [];
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
    else if (definition.kind === Kind.OPERATION_DEFINITION)
      fieldNodes = definition.selectionSet.selections as FieldNode[];
  }
  return { fieldNodes, fragments, variableValues } as unknown as GraphQLResolveInfo;
}

const LEVELS = [['series'], ['instance', 'rows']];

test.each([
  ['{ list { series { instance { uid } } } }', true],
  ['{ list { id all: series { uid rows } } }', true],
  ['{ list { ...S } } fragment S on Study { series { ... on Series { instance { uid } } } }', true],
  ['{ list { id } list { series { rows } } }', true],
  ['{ list { series { uid } rows } }', false],
  ['{ list { other { series { rows } } } }', false],
  ['query ($no: Boolean!) { list { series @include(if: $no) { rows } } }', false],
  ['{ list { series { ... @skip(if: true) { rows } } } }', false],
])('%s', (document, expected) => {
  expect(selects(infoOf(document, { no: false }), LEVELS)).toBe(expected);
});

test('fragments that may come later count only where they are wanted', () => {
  for (const fragment of ['... @defer { rows }', '...R @defer', '... @defer(if: false) { rows }']) {
    const info = infoOf(`{ list { series { uid ${fragment} } } } fragment R on Series { rows }`);
    expect(selects(info, LEVELS)).toBe(true);
    expect(selects(info, LEVELS, mayBeDeferred)).toBe(false);
  }
});
