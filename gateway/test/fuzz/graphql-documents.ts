import { buildSchema, getNamedType, isCompositeType, isEnumType } from 'graphql';
import type { GraphQLCompositeType, GraphQLField, GraphQLSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { damaged, wellFormed } from '../../../subgraphs/imaging/test/fuzz/random.ts';
import type { Random } from '../setup/random.ts';
import { hold, type Target } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { FIRST_REQUEST } from '../../pages/first-request.ts';
import { FuzzedGateway, holdReadable, type Asked } from './fuzzed-gateway.ts';

/** Limits of the gateway: characters of a document, and bytes of a URL. */
const LONGEST = 200_000;
/** Characters for all repetitions of one field. */
const MANY = 25_000;
const LONGEST_URL = 15_000;

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const STRINGS = [
  '',
  '*',
  PATIENT,
  `Patient/${PATIENT}`,
  'ge2024',
  '..',
  '8302-2',
  '\u202e',
  'x'.repeat(300),
  '1.2.3',
];
const EXPRESSIONS = [
  'code.exists()',
  "matches('^(a+)+$')",
  ".`matches`('^(a+)+$')",
  "replace('a','aaaaaaaa')",
  '%context',
  '$this',
  'select($this.combine($this))',
  'repeat(children())',
  'where(true)',
  'iif(true,1,2)',
  '((((((',
  "'",
  '//*',
  '1+1',
];
const DIRECTIVES = [
  '@skip(if: false)',
  '@include(if: true)',
  '@include(if: $no)',
  '@defer',
  '@x',
  '@deprecated',
  // Of FHIR: known at $graphql only.
  '@flatten',
  '@flatten',
  '@first',
  '@singleton',
  '@slice(path: "$index")',
  '@slice(path: "id")',
];
/** Selections that only $graphql takes: fields of any resource, some of them of one type. */
const LOOSE = ['id', 'status', 'active', 'name { family }', 'code { text }', 'subject { resource { id } }'];

const schemaFile = join(import.meta.dirname, '../../../schema/api.graphql');
let schema: GraphQLSchema;
let gateway: FuzzedGateway;

/**
 * Documents generated from the schema, many of them then made much too large, too deep or invalid; and their
 * variables.
 */
export const graphqlDocuments: Target = {
  name: 'graphql-documents',
  async open() {
    schema = buildSchema(readFileSync(schemaFile, 'utf8'), { assumeValid: true });
    gateway = await FuzzedGateway.shared();
    await gateway.ask(posted(FIRST_REQUEST.query, JSON.stringify(FIRST_REQUEST.variables)));
  },
  async run(random) {
    const document = mutated(random.chance(0.2) ? FIRST_REQUEST.query : generated(random), random).slice(
      0,
      LONGEST,
    );
    const variables = random.chance(0.2) ? nestedVariables(random) : JSON.stringify(FIRST_REQUEST.variables);
    await gateway.watched(async (attempt) => {
      // The text differs each time, because the gateway caches parsed documents.
      const text = `${document}${' '.repeat(attempt)}`;
      const asked = random.chance(0.8) ? posted(text, variables) : inOtherWays(text, random);
      const answer = await gateway.ask(asked);
      holdReadable(answer, document);
      hold(
        !/"code":"(internal|INTERNAL_SERVER_ERROR)"/.test(answer.body.toString()),
        `${answer.body.toString().slice(0, 300)} to ${document.slice(0, 500)}`,
      );
    });
  },
};

/** @param variables JSON */
function posted(query: string, variables: string): Asked {
  const body = `{"query":${JSON.stringify(query)},"variables":${variables}}`;
  return { method: 'POST', path: '/fuzz/graphql', headers: { 'content-type': 'application/json' }, body };
}

function inOtherWays(query: string, random: Random): Asked {
  const headers = { 'content-type': 'application/graphql', 'apollo-require-preflight': '1' };
  if (random.chance(0.4)) return { method: 'POST', path: '/fuzz/fhir/$graphql', headers, body: query };
  const body = query.replace(/^query[^{]*/, '');
  if (random.chance(0.5))
    return { method: 'POST', path: `/fuzz/fhir/Patient/${PATIENT}/$graphql`, headers, body };
  const search = `query=${encodeURIComponent(wellFormed(query)).slice(0, LONGEST_URL)}`;
  const path = `/fuzz/graphql?${search.replace(/%.?$/, '')}`;
  return { method: 'GET', path, headers: { 'apollo-require-preflight': '1' } };
}

/** Generates a query that is mostly valid by the schema. */
function generated(random: Random): string {
  return `query Fuzz($id: ID, $no: Boolean = false) ${selection(schema.getQueryType()!, 1 + random.below(6), random)}`;
}

function selection(type: GraphQLCompositeType, depth: number, random: Random): string {
  if (!('getFields' in type)) {
    if (random.chance(0.3)) return `{ ${random.of(LOOSE)} ${random.of(LOOSE)} }`;
    const [one] = schema.getPossibleTypes(type);
    return `{ __typename ${one ? `... on ${one.name} ${selection(one, depth - 1, random)}` : ''} }`;
  }
  const fields = Object.values(type.getFields());
  const chosen = Array.from({ length: 1 + random.below(4) }, () => random.of(fields));
  const texts = chosen.map((field) => fieldText(field, depth, random));
  if (random.chance(0.03)) texts.push(`__schema { types { ${nestedTypes(1 + random.below(6))} } }`);
  if (random.chance(0.1)) texts.push(...again(random.of(texts), random));
  return `{ __typename ${texts.join(' ')} }`;
}

/** Repeats one field many times: unchanged, with aliases, or each in a fragment. */
function again(field: string, random: Random): string[] {
  const bare = field.replace(/^\w+: /, '');
  const forms = [() => field, (i: number) => `r${i}: ${bare}`, () => `... { ${field} }`];
  const form = random.of(forms);
  const times = Math.min(1 + random.below(random.of([10, 100, 2000])), MANY / field.length);
  return Array.from({ length: times }, (_, i) => form(i));
}

function fieldText(field: GraphQLField<unknown, unknown>, depth: number, random: Random): string {
  const type = getNamedType(field.type);
  if (isCompositeType(type) && depth <= 0) return '__typename';
  const args = field.args
    .filter(() => random.chance(0.3))
    .map(({ name, type }) => {
      const named = getNamedType(type);
      if (name === 'fhirpath') return `fhirpath: ${JSON.stringify(random.of(EXPRESSIONS))}`;
      if (isEnumType(named)) return `${name}: ${random.of(named.getValues()).name}`;
      return `${name}: ${literal(named.name, random)}`;
    });
  const alias = random.chance(0.5) ? `a${random.below(1000)}: ` : '';
  const directive = random.chance(0.05) ? ` ${random.of(DIRECTIVES)}` : '';
  const inner = isCompositeType(type) ? ` ${selection(type, depth - 1, random)}` : '';
  return `${alias}${field.name}${args.length > 0 ? `(${args.join(' ')})` : ''}${directive}${inner}`;
}

function literal(type: string, random: Random): string {
  if (type === 'Int') return random.of(['0', '1', '1000', '-1', '2147483647', '1e3', 'null']);
  if (type === 'Boolean') return random.of(['true', 'false', '$no']);
  const one = () => JSON.stringify(random.of(STRINGS));
  if (type === 'ID') return random.chance(0.3) ? '$id' : one();
  const times = random.below(random.of([3, 3, 3, 1000]));
  return random.chance(0.2) ? `[${Array.from({ length: times }, one).join(' ')}]` : one();
}

const nestedTypes = (depth: number): string =>
  depth <= 0 ? 'name' : `fields { type { ofType { ${nestedTypes(depth - 1)} } } args { name } }`;

/** Makes a document larger, deeper or invalid; leaves some unchanged. */
function mutated(document: string, random: Random): string {
  const times = 1 + random.below(random.of([30, 300, 3000]));
  switch (random.below(12)) {
    case 0:
      return damaged(Buffer.from(document), random).toString();
    case 1:
      return document.replace(
        /__typename/,
        Array.from({ length: times }, (_, i) => `t${i}: __typename`).join(' '),
      );
    case 2:
      return document.replace(/__typename/, '__typename '.repeat(times));
    case 3:
      return document.replace(/__typename/, `${'... { '.repeat(times)}__typename${' }'.repeat(times)}`);
    case 4:
      return `${document.replace(/__typename/, '...F0')} ${chained(times, random)}`;
    case 5:
      return `${document.replace(/__typename/, '...F0 '.repeat(times))} ${chained(3, random)}`;
    case 6:
      return document.replace(/\w+: "[^"]*"/, `x: ${'['.repeat(times)}${']'.repeat(times)}`);
    case 7:
      return document.replace(/__typename/, `__typename ${random.of(DIRECTIVES).concat(' ').repeat(times)}`);
    default:
      return document;
  }
}

/** Makes fragments that each spread the next one, some of them twice. */
function chained(length: number, random: Random): string {
  const content = generated(random).replace(/^[^{]*\{|\}[^}]*$/g, '');
  return Array.from({ length }, (_, i) => {
    const next = i + 1 < length ? `...F${i + 1} ${i % 3 ? '' : `...F${i + 1}`}` : content;
    return `fragment F${i} on Query { ${next} }`;
  }).join('\n');
}

/** Makes JSON of variables with more depth and longer lists than any query needs. */
function nestedVariables(random: Random): string {
  const depth = random.below(3000);
  const id = `${'[{"id":'.repeat(depth)}${random.of(['null', '1', '"x"', '[]', '{}'])}${'}]'.repeat(depth)}`;
  const list = Array.from({ length: random.below(2000) }, () => random.of(STRINGS));
  return `{"id":${id},"list":${JSON.stringify(list)}}`;
}
