/** The queries of the viewer. Those of lists and timeline select what the types in `fhir/shapes.ts` name. */
import { graphql } from './graphql.ts';

/** Entries of the timeline that are asked for at once. */
export const TIMELINE_ENTRIES = 200;

const CONCEPT = graphql(`
  fragment ConceptParts on CodeableConcept @_unmask {
    text
    coding {
      system
      code
      display
    }
  }
`);

const PERSON = graphql(`
  fragment PersonParts on Patient @_unmask {
    id
    birthDate
    gender
    deceasedBoolean
    deceasedDateTime
    name {
      use
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
  }
`);

const RANGE_LIMIT = graphql(`
  fragment QuantityParts on Quantity @_unmask {
    value
    comparator
    unit
    code
  }
`);

const OBSERVATION = graphql(
  `
    fragment ObservationParts on Observation @_unmask {
      id
      status
      effectiveDateTime
      effectiveInstant
      effectivePeriod {
        start
      }
      code {
        ...ConceptParts
      }
      valueQuantity {
        ...QuantityParts
      }
      valueCodeableConcept {
        ...ConceptParts
      }
      valueString
      valueInteger
      valueBoolean
      interpretation {
        ...ConceptParts
      }
      referenceRange {
        text
        type {
          coding {
            code
          }
        }
        low {
          ...QuantityParts
        }
        high {
          ...QuantityParts
        }
      }
      component {
        code {
          ...ConceptParts
        }
        valueQuantity {
          ...QuantityParts
        }
        valueCodeableConcept {
          ...ConceptParts
        }
        valueString
        valueInteger
        valueBoolean
      }
    }
  `,
  [CONCEPT, RANGE_LIMIT],
);

const REPORT = graphql(
  `
    fragment ReportParts on DiagnosticReport @_unmask {
      id
      status
      effectiveDateTime
      effectivePeriod {
        start
      }
      conclusion
      code {
        ...ConceptParts
      }
      presentedForm {
        contentType
        title
        data
        url
      }
      result {
        reference
      }
      ImagingStudyList {
        id
        identifier {
          system
          value
        }
      }
    }
  `,
  [CONCEPT],
);

const STUDY = graphql(`
  fragment StudyParts on ImagingStudy @_unmask {
    id
    status
    started
    description
    numberOfInstances
    identifier {
      system
      value
      type {
        coding {
          code
        }
      }
    }
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
        code
        display
      }
    }
  }
`);

/** The types of the union have no field in common: each names its id. */
const RESOURCE = graphql(
  `
    fragment ResourceParts on ResourceUnion @_unmask {
      __typename
      ... on Condition {
        id
        verificationStatus {
          ...ConceptParts
        }
      }
      ... on DiagnosticReport {
        id
      }
      ... on DocumentReference {
        id
        status
      }
      ... on Encounter {
        id
        status
      }
      ... on Immunization {
        id
        status
      }
      ... on MedicationRequest {
        id
        status
      }
      ... on MedicationStatement {
        id
        status
      }
      ... on Procedure {
        id
        status
      }
    }
  `,
  [CONCEPT],
);

/** The whole page in one request. */
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
        DiagnosticReportList {
          ...ReportParts
        }
        ImagingStudyList {
          ...StudyParts
        }
        timeline(_count: $entries) {
          next
          entries {
            kind
            date
            end
            title
            resource {
              ...ResourceParts
            }
            observations {
              ...ObservationParts
            }
          }
        }
      }
    }
  `,
  [CONCEPT, PERSON, OBSERVATION, REPORT, STUDY, RESOURCE],
);

export const PATIENTS = graphql(
  `
    query Patients($name: [String!], $birthdate: [String!], $identifier: [String!], $count: Int) {
      PatientConnection(
        name: $name
        birthdate: $birthdate
        identifier: $identifier
        _sort: ["family"]
        _count: $count
      ) {
        next
        edges {
          resource {
            ...PersonParts
          }
        }
      }
    }
  `,
  [PERSON],
);

export const MORE_PATIENTS = graphql(
  `
    query MorePatients($cursor: ID!) {
      PatientConnection(_cursor: $cursor) {
        next
        edges {
          resource {
            ...PersonParts
          }
        }
      }
    }
  `,
  [PERSON],
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
