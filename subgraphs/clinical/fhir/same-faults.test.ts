/** FG-20 FHIR REST with strict handling and GraphQL refuse the same values with the same faults. */
import { graphql } from 'graphql';
import type { OperationOutcome } from 'fhir/r4.js';
import { expect, it } from 'vitest';
import { restSources } from '../test/rest-sources.ts';
import { accessOf } from '../test/servers.ts';

const { ask, clinical } = restSources();

const values: [argument: string, parameter: string, value: string][] = [
  ['onset_date', 'onset-date', 'soon'],
  ['onset_date', 'onset-date', '2024-02-30'],
  ['onset_date', 'onset-date', 'zz2024'],
  ['patient', 'patient', 'bob'],
  ['patient', 'patient', 'Patient/bob'],
  ['subject', 'subject', 'ana,bob'],
  ['_sort', '_sort', 'colour'],
  ['code', 'code', ''],
];

it.each(values)('%s: %s=%s', async (argument, parameter, value) => {
  const { subgraph, tenant } = clinical();
  const isList = !argument.startsWith('_sort');
  const written = isList ? JSON.stringify([value]) : JSON.stringify(value);
  const { errors } = await graphql({
    schema: subgraph.schema,
    source: `{ ConditionList(${argument}: ${written}) { id } }`,
    contextValue: { clinical: subgraph.open(tenant, accessOf('patient/*.rs', ['ana'])) },
  });
  const query = new URLSearchParams({ [parameter]: value }).toString();
  const answer = await ask('store', `/Condition?${query}`, { headers: { prefer: 'handling=strict' } });
  const [issue] = answer.json<OperationOutcome>().issue;
  expect(errors).toHaveLength(1);
  expect([answer.statusCode, issue?.diagnostics]).toEqual([
    errors![0]!.extensions['status'],
    errors![0]!.message,
  ]);
});
