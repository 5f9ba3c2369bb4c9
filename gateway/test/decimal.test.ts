import { expect, test } from 'vitest';
import { recordGateway } from './record-gateway.ts';

const post = recordGateway(
  '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.10},"subject":{"reference":"Patient/p"},' +
    '"component":[{"valueQuantity":{"value":1.10}},{"valueQuantity":{"value":2.5e3}}]}',
);

const VALUE = 'valueQuantity { value }';
/** Evaluates an expression, and is therefore not executed directly but planned. */
const PLANNED = 'component(fhirpath: "true") { valueQuantity { value } }';

test.each<[url: string, query: string, variables?: object]>([
  ['/t/graphql', `{ Observation(id: "o") { ${VALUE} } }`],
  ['/t/graphql', `{ Observation(id: "o") { ${VALUE} ${PLANNED} } }`],
  ['/t/graphql', `{ ObservationList(value_quantity: "1.1") { ${VALUE} } }`],
  [
    '/t/graphql',
    `query ($v: [String!]) { ObservationList(value_quantity: $v) { ${VALUE} } }`,
    { v: ['1.10'] },
  ],
  ['/t/fhir/$graphql', `{ Observation(id: "o") { ${VALUE} } }`],
  ['/t/fhir/$graphql', `{ Observation(id: o) { ${VALUE} ${PLANNED} } }`],
  ['/t/fhir/$graphql', `{ ObservationList(value_quantity: 1.10) { ${VALUE} } }`],
  [
    '/t/fhir/$graphql',
    `query ($v: [String!]) { ObservationList(value_quantity: $v) { ${VALUE} } }`,
    { v: '1.10' },
  ],
  ['/t/fhir/Observation/o/$graphql', `{ ${VALUE} ${PLANNED} }`],
])('FG-4 a decimal keeps its precision through %s of %s', async (url, query, variables) => {
  const { body } = await post(url, { query, variables });
  expect(body).toContain('"valueQuantity":{"value":1.10}');
});

test('FG-4, FG-26 decimals keep their precision as values and in names where the answer is rearranged', async () => {
  const query = `{ ${VALUE} component @flatten @slice(path: "valueQuantity.value") { valueQuantity @flatten { value @singleton } } }`;
  const url = '/t/fhir/Observation/o/$graphql';
  const { body } = await post(url, { query });
  expect(body.trim()).toBe('{"data":{"valueQuantity":{"value":1.10},"value.1.10":1.10,"value.2.5e3":2.5e3}}');
});
