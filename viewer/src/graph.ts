import { Client, fetchExchange } from '@urql/svelte';
import { initGraphQLTada, type ResultOf } from 'gql.tada';
import type { introspection } from './graphql-env.d.ts';

/** The typed `graphql` tag. FHIR scalars are strings in JSON, except `decimal`, which is a number. */
const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { date: string; dateTime: string; instant: string; time: string; decimal: number; code: string };
}>();

/**
 * Creates a GraphQL client for one tenant. It has no cache: the screen always shows the current record.
 * @param endpoint `{base}/{tenant}/graphql`
 * @param fetch a `fetch` that sends the session's token
 */
export function graphClient({
  endpoint,
  fetch,
}: {
  endpoint: string;
  fetch: typeof globalThis.fetch;
}): Client {
  return new Client({ url: endpoint, fetch, exchanges: [fetchExchange], preferGetMethod: false });
}

/** The patients that can be opened; requested only when no patient is in context. */
export const PATIENTS = graphql(`
  query Patients {
    PatientList(_sort: ["family"]) {
      id
      birthDate
      gender
      name {
        text
        given
        family
      }
    }
  }
`);

/** The whole page in one request: the patient, the record's lists, and the images. */
export const PATIENT_RECORD = graphql(`
  query PatientRecord($id: ID!) {
    Patient(id: $id) {
      id
      birthDate
      gender
      name {
        text
        given
        family
      }
      identifier {
        value
        type {
          coding {
            code
          }
        }
      }
      AllergyIntoleranceList {
        id
        criticality
        code {
          text
          coding {
            display
          }
        }
      }
      ConditionList {
        id
        onsetDateTime
        code {
          text
          coding {
            display
          }
        }
        clinicalStatus {
          coding {
            code
          }
        }
      }
      MedicationRequestList {
        id
        status
        authoredOn
        medicationCodeableConcept {
          text
          coding {
            display
          }
        }
      }
      EncounterList {
        id
        status
        period {
          start
        }
        type {
          text
          coding {
            display
          }
        }
      }
      DiagnosticReportList {
        id
        status
        effectiveDateTime
        conclusion
        code {
          text
          coding {
            display
          }
        }
        presentedForm {
          contentType
          data
        }
        ImagingStudyList {
          id
        }
      }
      ImagingStudyList {
        id
        started
        description
        numberOfSeries
        numberOfInstances
        modality {
          code
        }
        series {
          uid
          number
          description
          numberOfInstances
          wadoUrl
          modality {
            code
          }
          bodySite {
            display
          }
        }
      }
    }
  }
`);

export type PatientRecord = NonNullable<ResultOf<typeof PATIENT_RECORD>['Patient']>;
export type ImagingStudy = NonNullable<NonNullable<PatientRecord['ImagingStudyList']>[number]>;
export type Series = NonNullable<ImagingStudy['series']>[number];
export type DiagnosticReport = NonNullable<NonNullable<PatientRecord['DiagnosticReportList']>[number]>;

interface Concept {
  text: string | null;
  coding: { display: string | null }[] | null;
}

/** Returns the name of a concept: its text, or its first display. */
export function conceptName(concept: Concept | null | undefined): string {
  return concept?.text ?? concept?.coding?.find(({ display }) => display)?.display ?? 'Not named';
}

/** Returns a list without its `null` items; an empty list for `null`. */
export function present<T>(list: readonly (T | null)[] | null | undefined): T[] {
  return (list ?? []).filter((item): item is T => item !== null);
}

interface HasName {
  name: { text: string | null; given: (string | null)[] | null; family: string | null }[] | null;
}

/** Returns a person's name for display. */
export function personName({ name }: HasName): string {
  const first = name?.[0];
  const parts = [...present(first?.given), first?.family].filter(Boolean);
  return first?.text ?? (parts.join(' ') || 'Name not recorded');
}
