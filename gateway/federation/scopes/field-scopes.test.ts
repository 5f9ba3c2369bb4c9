import {
  buildASTSchema,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  valueFromASTUntyped,
  type ConstDirectiveNode,
} from 'graphql';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { withoutSecurityPurpose } from '../../test/setup/security-purpose.ts';
import { FieldScopes } from './field-scopes.ts';

const supergraphSdl = readFileSync(new URL('../../../schema/supergraph.graphql', import.meta.url), 'utf8');
const document = parse(supergraphSdl, { noLocation: true });
const scopes = new FieldScopes(supergraphSdl);

const argumentOf = (directives: readonly ConstDirectiveNode[] | undefined, name: string): unknown => {
  const found = directives?.find((one) => one.name.value === name)?.arguments?.[0];
  return found && valueFromASTUntyped(found.value);
};

test('FG-31 the needs are those of the directives in the supergraph, field by field', () => {
  let fields = 0;
  for (const type of document.definitions) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    const ofType = scopes.of(type.name.value);
    expect(ofType && JSON.parse(ofType.text)).toEqual(argumentOf(type.directives, 'requiresScopes'));
    for (const { name, directives } of type.fields ?? []) {
      const need = scopes.of(`${type.name.value}.${name.value}`);
      const declared = argumentOf(directives, 'requiresScopes');
      expect([name.value, need && JSON.parse(need.text)]).toEqual([name.value, declared]);
      if (!need) continue;
      fields++;
      const graph = argumentOf(directives, 'join__field');
      expect(need.service).toBe(String(graph).toLowerCase());
    }
  }
  expect(fields).toBeGreaterThan(1_000);
});

test('FG-31 each type of resource needs a scope; of Patient, each element that says something of the person', () => {
  const schema = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true });
  const query = schema.getQueryType()!.getFields();
  const types = Object.keys(query).filter((name) => query[`${name}List`] || name === 'Endpoint');
  expect(types.length).toBeGreaterThan(40);
  const without = types.filter((type) => type !== 'Patient' && !scopes.of(type));
  expect(without).toEqual([]);
  const patient = schema.getType('Patient');
  const fields = isObjectType(patient) ? Object.keys(patient.getFields()) : [];
  expect(fields.filter((field) => !scopes.of(`Patient.${field}`))).toEqual([
    'resourceType',
    'id',
    'timeline',
  ]);
  expect(Object.keys(query).filter((field) => !scopes.of(`Query.${field}`))).toEqual(['Patient']);
});

test('FG-31 a field that is refused may be null', () => {
  const schema = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true });
  const sure = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields()).flatMap((field) => {
          const isSure =
            isNonNullType(field.type) || (isListType(field.type) && isNonNullType(field.type.ofType));
          return isSure && scopes.of(`${type.name}.${field.name}`)?.scopes.length === 1
            ? [`${type.name}.${field.name}`]
            : [];
        })
      : [],
  );
  expect(sure).toEqual([]);
});

test('FG-31 Apollo need not enforce the directives, and only these', () => {
  const purposes = (sdl: string) =>
    [...sdl.matchAll(/dev\/(\w+)\/v[\d.]+", for: SECURITY/g)].map(([, one]) => one);
  expect(purposes(supergraphSdl)).toEqual(['inaccessible', 'authenticated', 'requiresScopes']);
  expect(purposes(withoutSecurityPurpose(supergraphSdl))).toEqual(['inaccessible']);
});

const API = buildASTSchema(
  parse(readFileSync(new URL('../../../schema/api.graphql', import.meta.url), 'utf8')),
  { assumeValid: true, assumeValidSDL: true },
);

test.each<[scope: string, query: string, refused: string[]]>([
  ['patient/*.rs', '{ ConditionList { id } Patient(id: "1") { birthDate } }', []],
  ['patient/*.read', '{ ConditionList { id } Patient(id: "1") { birthDate } }', []],
  ['user/Condition.s', '{ ConditionList { id } }', []],
  ['patient/Condition.r', '{ ConditionList { id } }', ['[["Condition.s"]]']],
  ['patient/Condition.rs?category=x', '{ ConditionList { id } }', []],
  ['system/Patient.s', '{ Patient(id: "1") { birthDate } }', []],
  ['system/Condition.rs', '{ Patient(id: "1") { birthDate } }', ['[["Patient.r"], ["Patient.s"]]']],
  [
    'patient/Observation.rs',
    '{ Endpoint(id: "1") { id } }',
    ['[["ImagingStudy.r"]]', '[["ImagingStudy.r"], ["ImagingStudy.s"]]'],
  ],
  [
    'patient/List.rs',
    '{ List(id: "1") { entry { item { resource { ... on Goal { ...G } } } } } } fragment G on Goal { addresses { resource { ... on Task { id } } } }',
    ['[["Goal.r"], ["Goal.s"]]', '[["Task.r"], ["Task.s"]]'],
  ],
])('FG-31 what %s lacks for %s', (scope, query, refused) => {
  const access = { tenant: 't', patients: 'all', permissions: parseScopes(scope), expires: 0 } as const;
  const found = scopes.refusals(scopes.needs({ document: parse(query), schema: API }), access);
  expect(found?.key.replaceAll(/(clinical|imaging|undefined)(?=,|$)/g, '').split(/,(?=\[\[)/) ?? []).toEqual(
    refused,
  );
});
