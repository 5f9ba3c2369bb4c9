import { Client, fetchExchange } from '@urql/core';
import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './graphql-env.d.ts';
import { authorizedFetch, TENANT } from './sign-in.ts';

/** The server's scalars, as they are in JSON. */
type Scalars = Record<'code' | 'date' | 'dateTime' | 'instant' | 'time', string> & {
  decimal: number;
  JSON: unknown;
};
const graphql = initGraphQLTada<{ introspection: introspection; scalars: Scalars }>();

// prettier-ignore
const RECORD = graphql(`
  query Record($id: ID!) {
    Patient(id: $id) {
      name { given family }
      birthDate
      DiagnosticReportList(_sort: ["-date"]) { id code { text coding { display } } effectiveDateTime conclusion }
      ImagingStudyList(_sort: ["-started"]) {
        id description started
        series { uid description rows thumbnailUrl instance { wadoUrl } }
      }
    }
  }
`);

const client = new Client({
  url: `${TENANT}/graphql`,
  fetch: authorizedFetch,
  exchanges: [fetchExchange],
  preferGetMethod: false,
});

/** Reads the record in one request. @returns the patient, and what could not be read: an archive may be down */
export async function readRecord(id: string) {
  const { data, error } = await client.query(RECORD, { id }).toPromise();
  if (!data?.Patient) throw error?.networkError ?? error ?? new Error('The server knows no such patient.');
  const missing = new Set(error?.graphQLErrors.map(({ message }) => message));
  return { patient: data.Patient, missing: [...missing] };
}
