/** The elements by which resources of the record name their studies (FG-9), as data. Element names are those of FHIR R4. */

/** An element with references that lead to a study, at once or by way of another resource. */
export interface Lead {
  /** Path of the element: `context.related`. */
  path: string;
  /** Its search parameter, by which `_revinclude` names it. */
  code?: string;
  /** Types of resources that are followed; references to others are passed over. */
  to: readonly string[];
  /** Followed only for the resource that is asked about, not when it was itself reached by a reference. */
  ownOnly?: true;
}

export interface LinkRow {
  /** Elements with identifiers: UIDs and accession numbers. */
  identifiers: readonly string[];
  /** A UID among them is that of a series or an instance as well as of a study. */
  ofObjects?: true;
  leads: readonly Lead[];
  /** The element of the record's ImagingStudy that refers to the resource. */
  namedBy?: string;
}

/** Types from which an image or a measurement may be made. */
const IMAGES = ['ImagingStudy', 'Media', 'DocumentReference', 'Observation'];

export const LINKS: Readonly<Record<string, LinkRow>> = {
  DiagnosticReport: {
    identifiers: ['identifier'],
    leads: [
      { path: 'imagingStudy', code: 'imaging-study', to: ['ImagingStudy'] },
      { path: 'basedOn', code: 'based-on', to: ['ServiceRequest'] },
    ],
  },
  ServiceRequest: {
    identifiers: ['identifier', 'requisition'],
    // An order often names earlier studies; a report of the order is not about them.
    leads: [{ path: 'supportingInfo', to: ['ImagingStudy'], ownOnly: true }],
    namedBy: 'basedOn',
  },
  Procedure: {
    identifiers: ['identifier'],
    leads: [
      { path: 'basedOn', code: 'based-on', to: ['ServiceRequest'] },
      { path: 'report', to: ['DiagnosticReport'] },
    ],
    namedBy: 'procedureReference',
  },
  Observation: {
    identifiers: ['identifier'],
    ofObjects: true,
    leads: [
      { path: 'derivedFrom', code: 'derived-from', to: IMAGES },
      { path: 'partOf', code: 'part-of', to: ['ImagingStudy', 'Procedure'] },
      { path: 'basedOn', code: 'based-on', to: ['ServiceRequest'] },
    ],
  },
  Media: {
    identifiers: ['identifier'],
    ofObjects: true,
    leads: [
      { path: 'partOf', to: ['ImagingStudy', 'Procedure', 'ServiceRequest', 'DiagnosticReport'] },
      { path: 'basedOn', code: 'based-on', to: ['ServiceRequest'] },
    ],
  },
  DocumentReference: {
    identifiers: ['masterIdentifier', 'identifier'],
    ofObjects: true,
    leads: [
      {
        path: 'context.related',
        code: 'related',
        to: ['ImagingStudy', 'ServiceRequest', 'Procedure', 'DiagnosticReport'],
      },
    ],
  },
  Encounter: {
    identifiers: [],
    leads: [{ path: 'basedOn', code: 'based-on', to: ['ServiceRequest'] }],
    namedBy: 'encounter',
  },
  // A study of the record may have only an accession number, or only its order.
  ImagingStudy: {
    identifiers: ['identifier'],
    leads: [{ path: 'basedOn', code: 'basedon', to: ['ServiceRequest'] }],
  },
};

/** Types whose studies are those of the encounter that they name, and the element in which they name it. */
export const IN_ENCOUNTER: Readonly<Record<string, string>> = {
  DiagnosticReport: 'encounter',
  ServiceRequest: 'encounter',
  Procedure: 'encounter',
  Observation: 'encounter',
  Media: 'encounter',
  DocumentReference: 'context.encounter',
};
