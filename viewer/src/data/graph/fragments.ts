/** Fragments of the viewer's queries: they select what the types in `fhir/shapes.ts` name. */
import { graphql } from './graphql.ts';

export const CONCEPT = graphql(`
  fragment ConceptParts on CodeableConcept @_unmask {
    text
    coding {
      system
      code
      display
    }
  }
`);

export const PERSON = graphql(`
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

const QUANTITY = graphql(`
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
  [CONCEPT, QUANTITY],
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

/** The parts that wait for the archive: the images, and their names. */
export const IMAGES = graphql(
  `
    fragment ImageParts on Patient @_unmask {
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
  `,
  [OBSERVATION, REPORT, STUDY, RESOURCE],
);
