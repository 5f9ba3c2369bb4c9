/**
 * Documents of known shapes, as the gateway answers them: a document that was taken, then a twin of it that is renamed, has other
 * values, or is wrong. The judge is a server that knows no shapes, because Apollo Server takes each document.
 */
import { HeaderMap } from '@apollo/server';
import { buildSchema, Kind, parse, print, visit, type ASTNode, type DocumentNode } from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../federation/document/limits.ts';
import { federatedServer, type FederatedServer } from '../../federation/apollo/supergraph.ts';
import type { AskedGraphql } from '../../federation/request/asked-graphql.ts';
import { logger } from '../../http/logger.ts';
import { LONG } from '../setup/long.ts';
import { Random } from '../setup/random.ts';
import { describeWithSharedData } from '../setup/shared-data.ts';
import { generated, type Asker } from './corpus.ts';
import { accessTo, writeCorpus } from './record.ts';
import { scopeOf, startSubgraphs, wholeAndHalved, type Asked } from './servers.ts';

/** Generated documents; each has several twins. */
const DOCUMENTS = LONG ? 2500 : 120;
const TWINS = 4;
const PART = 20;

const sdl = (name: string) => readFileSync(new URL(`../../../schema/${name}.graphql`, import.meta.url));
const schema = buildSchema(sdl('api').toString(), { assumeValid: true });

/** Changes one node of a document, or all; undefined leaves a node as it is. */
type Change = (node: ASTNode, random: Random) => object | undefined;

/** The first kinds leave a document valid and of its shape; the others change the shape, and many of them make it wrong. */
const CHANGES: Record<string, Change> = {
  'the name of the operation': (node) =>
    node.kind === Kind.OPERATION_DEFINITION ? { ...node, name: named('Another') } : undefined,
  'all aliases': (node) =>
    node.kind === Kind.FIELD && node.alias ? { ...node, alias: named(`${node.alias.value}_`) } : undefined,
  'a string': (node, random) =>
    node.kind === Kind.STRING && random.chance(0.3)
      ? { ...node, value: random.of(['', 'other', 'p2', '1.2.3.2', "type.text = 'x'", '")}']) }
      : undefined,
  'a number in place of a string': (node, random) =>
    node.kind === Kind.STRING && random.chance(0.2) ? { kind: Kind.INT, value: '7' } : undefined,
  'a list in place of a string': (node, random) =>
    node.kind === Kind.STRING && random.chance(0.2) ? { kind: Kind.LIST, values: [node] } : undefined,
  'a number': (node, random) =>
    node.kind === Kind.INT && random.chance(0.3)
      ? { ...node, value: random.of(['0', '2', '70000']) }
      : undefined,
  'an alias': (node, random) =>
    node.kind === Kind.FIELD && random.chance(0.1)
      ? { ...node, alias: named(random.of(['id', 'a', '__typename', 'name'])) }
      : undefined,
  'a field': (node, random) =>
    node.kind === Kind.FIELD && random.chance(0.05)
      ? { ...node, name: named(random.of(['id', 'name', 'unknown', '__schema'])) }
      : undefined,
  'an argument': (node, random) =>
    node.kind === Kind.ARGUMENT && random.chance(0.3)
      ? { ...node, name: named(random.of(['_count', 'id', 'unknown'])) }
      : undefined,
  'a type': (node, random) =>
    node.kind === Kind.NAMED_TYPE && random.chance(0.3)
      ? { ...node, name: named(random.of(['Patient', 'ImagingStudy', 'String', 'Nothing'])) }
      : undefined,
  'a directive': (node, random) =>
    node.kind === Kind.FIELD && random.chance(0.1) ? { ...node, directives: [leftOut] } : undefined,
};

const named = (value: string) => ({ kind: Kind.NAME, value }) as const;
/** `@include(if: false)` */
const leftOut = {
  kind: Kind.DIRECTIVE,
  name: named('include'),
  arguments: [{ kind: Kind.ARGUMENT, name: named('if'), value: { kind: Kind.BOOLEAN, value: false } }],
};

function twinOf(document: DocumentNode, random: Random): string {
  const what = random.of(Object.keys(CHANGES));
  const leave = (node: ASTNode) => CHANGES[what]!(node, random);
  // A node that was changed is not changed again.
  return print(visit(document, { leave }));
}

interface Given {
  status: number;
  text: string;
  recorded: readonly string[];
}

/** Errors are in the order in which they came. */
function comparable({ status, text, recorded }: Given): object {
  const { errors = [], ...rest } = JSON.parse(text) as { errors?: object[] };
  return { status, recorded, rest, errors: errors.map((error) => JSON.stringify(error)).sort() };
}

describeWithSharedData('documents of known shapes', () => {
  let directory: string;
  let server: FederatedServer;
  let judge: FederatedServer;
  let close: () => Promise<unknown>;
  let asker: Asker;
  let asked: (query: string) => Asked;
  const count = { known: 0, refused: 0, all: 0 };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shapes-'));
    const { data, elements, patients } = await writeCorpus(directory);
    const members = Object.keys(schema.getTypeMap()).filter(
      (name) => name === 'Patient' || name === 'Observation',
    );
    asker = {
      patient: patients[0].id,
      other: patients[1].id,
      own: 'p1',
      ids: patients[0].ids,
      elements,
      members,
    };
    const [tenant] = wholeAndHalved(data);
    asked = (query) => ({ query, tenant, access: accessTo([patients[0]], 'patient/*.rs') });
    const subgraphs = startSubgraphs(directory);
    const start = () =>
      federatedServer({
        supergraphSdl: sdl('supergraph'),
        apiSdl: sdl('api'),
        subgraphs,
        limits: DEFAULT_LIMITS,
        log: logger('silent') as never,
        persisted: new Map() as never,
      });
    [server, judge] = await Promise.all([start(), start()]);
    close = () =>
      Promise.all([server.stop(), judge.stop(), subgraphs.clinical.close(), subgraphs.imaging.close()]);
    const isIndexed = async () =>
      expect((await answer(judge, '{ ImagingStudyList { id } }', {})).text).toContain('1.2.3.1');
    await vi.waitFor(isIndexed, 30_000);
  }, 120_000);
  afterAll(async () => {
    await close?.();
    await rm(directory, { recursive: true, force: true });
  });

  /** Asks as the route does: first for what is known. The judge leaves all to Apollo Server. */
  async function answer(
    asking: FederatedServer,
    query: string,
    variables: object | undefined,
  ): Promise<Given & { isKnown: boolean }> {
    const recorded = new Set<string>();
    const scope = scopeOf(asked(query), (operation) => void recorded.add(JSON.stringify(operation)));
    const headers = { 'content-type': 'application/json' };
    const sent: AskedGraphql = {
      method: 'POST',
      search: '',
      headers,
      body: { query, variables: variables ?? {} },
    };
    const known = asking === judge ? undefined : await asking.answerKnown(sent, scope);
    const { status, body } =
      known ??
      (await asking.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { ...sent, headers: new HeaderMap(Object.entries(headers)) },
        context: () => Promise.resolve({ scope }),
      }));
    const text = body.kind === 'complete' ? body.string : '';
    // On a busy machine a picture may take too long: that depends on no document.
    if (text.includes('It takes too long to decode')) return answer(asking, query, variables);
    return { isKnown: known !== undefined, status: status ?? 200, text, recorded: [...recorded].sort() };
  }

  async function hold(query: string, variables: object | undefined): Promise<void> {
    const given = await answer(server, query, variables);
    const wanted = await answer(judge, query, variables);
    expect(comparable(given), query).toEqual(comparable(wanted));
    count.all++;
    if (given.isKnown) count.known++;
    if (given.status !== 200) count.refused++;
  }

  const parts = Array.from({ length: DOCUMENTS / PART }, (_, part) => part * PART);
  test.each(parts)(
    'twins of generated documents, from number %i',
    async (first) => {
      for (const [index, { query, variables }] of generated(schema, asker, [first, first + PART]).entries()) {
        const random = new Random(first + index);
        const document = parse(query, { noLocation: true });
        await hold(query, variables);
        for (let twin = 0; twin < TWINS; twin++) {
          await hold(twinOf(document, random), variables);
        }
      }
    },
    240_000,
  );

  test('many twins are of a known shape, and many are refused', () => {
    expect(count.all).toBeGreaterThan(DOCUMENTS);
    expect(count.known).toBeGreaterThan(count.all / 8);
    expect(count.refused).toBeGreaterThan(count.all / 20);
  });
});
