import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { longTest } from '../../gateway/test/setup/usual-run.ts';
import { composeSubgraphs } from './compose.ts';
import { generate } from './generate.ts';
import { staleFiles } from './files.ts';

const folder = new URL('../', import.meta.url);
const subgraphs = (files: Readonly<Record<string, string>>) => ({
  clinical: files['clinical.graphql'] ?? '',
  imaging: files['imaging.graphql'] ?? '',
});

describe('generation', () => {
  const files = generate();

  test('writes the same bytes each time', () => {
    expect(generate()).toEqual(files);
  });

  test('FG-14: the committed files are those that the generator and the composition write', () => {
    expect(staleFiles(folder, files)).toEqual([]);
    expect(staleFiles(folder, composeSubgraphs(subgraphs(files), files['tables.json']!))).toEqual([]);
  });

  test('all texts are in Latin-1, which takes half the memory of other texts', () => {
    const texts = { ...files, ...composeSubgraphs(subgraphs(files), files['tables.json']!) };

    const others = Object.values(texts).flatMap((text) => text.match(/[^\u0000-\u00ff]/g) ?? []);
    expect(others).toEqual([]);
  });

  test('a file that differs or is missing is stale', () => {
    expect(staleFiles(folder, { 'tables.json': '{}', 'none.graphql': '' })).toEqual([
      'tables.json',
      'none.graphql',
    ]);
  });

  test.each(Object.entries(subgraphs(files)))('%s is a valid subgraph', (_name, sdl) => {
    const schema = buildSubgraphSchema([{ typeDefs: parse(sdl) }]);
    expect(schema.getQueryType()?.getFields()).toHaveProperty('_entities');
  });
});

describe('FG-1, FG-5: all of R4', () => {
  const files = generate(true);

  longTest('composes, with every resource in the union', () => {
    const api = composeSubgraphs(subgraphs(files), files['tables.json']!)['api.graphql'] ?? '';
    const union = /^union ResourceUnion =(.*)$/m.exec(api)?.[1]?.split('|') ?? [];
    expect(union).toHaveLength(146);
    expect(api).not.toMatch(/^type Subscription {/m);
  });

  test("FHIR's Subscription is not the subscription root", () => {
    const { clinical } = subgraphs(files);
    expect(clinical).toMatch(/^type SubscriptionResource\b/m);
    expect(clinical).not.toMatch(/^type Subscription\b/m);
    expect(clinical).toMatch(
      /^ {2}Subscription\(id: ID!\): SubscriptionResource @requiresScopes\(scopes: \[\["Subscription.r"\]\]\)$/m,
    );
    expect(JSON.parse(files['tables.json'] ?? '')).toHaveProperty(
      'renamed.Subscription',
      'SubscriptionResource',
    );
  });
});
