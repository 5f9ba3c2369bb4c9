/** The queries of the viewer. */
import { CONCEPT, IMAGES, PERSON } from './fragments.ts';
import { graphql } from './graphql.ts';

/** Entries of the timeline that are asked for at once. */
export const TIMELINE_ENTRIES = 200;

/** The whole page in one request: the record, and later what waits for the archive. */
export const RECORD = graphql(
  `
    query PatientRecord($id: ID!, $entries: Int!) {
      Patient(id: $id) {
        ...PersonParts
        AllergyIntoleranceList {
          id
          criticality
          code {
            ...ConceptParts
          }
          clinicalStatus {
            ...ConceptParts
          }
          verificationStatus {
            ...ConceptParts
          }
        }
        ConditionList {
          id
          onsetDateTime
          onsetPeriod {
            start
          }
          code {
            ...ConceptParts
          }
          clinicalStatus {
            ...ConceptParts
          }
          verificationStatus {
            ...ConceptParts
          }
        }
        MedicationRequestList {
          id
          status
          authoredOn
          medicationCodeableConcept {
            ...ConceptParts
          }
          medicationReference {
            display
          }
        }
        ...ImageParts @defer
      }
    }
  `,
  [CONCEPT, PERSON, IMAGES],
);

export const TREND = graphql(`
  query Trend($id: ID!, $code: [String!]!) {
    Patient(id: $id) {
      trend(code: $code) {
        series {
          title
          unit
          code {
            system
            code
          }
          points {
            date
            value
            low
            high
            flag
          }
        }
      }
    }
  }
`);

export const PRIORS = graphql(`
  query Priors($uid: ID!) {
    ImagingStudy(id: $uid) {
      priors {
        id
        identifier {
          system
          value
        }
      }
    }
  }
`);
