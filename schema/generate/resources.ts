/**
 * Resources of the clinical subgraph, unless all of R4 is generated: those of US Core and those that imaging needs. To add
 * a resource, add a line here and run `npm run schema`.
 */
export const defaultClinicalResources = [
  'AllergyIntolerance',
  'Appointment',
  'AuditEvent',
  'Binary',
  'BodyStructure',
  'CarePlan',
  'CareTeam',
  'ClinicalImpression',
  'Composition',
  'Condition',
  'Consent',
  'Coverage',
  'Device',
  'DiagnosticReport',
  'DocumentReference',
  'Encounter',
  'EpisodeOfCare',
  'FamilyMemberHistory',
  'Flag',
  'Goal',
  'Group',
  'Immunization',
  'List',
  'Location',
  'Media',
  'Medication',
  'MedicationAdministration',
  'MedicationDispense',
  'MedicationRequest',
  'MedicationStatement',
  'NutritionOrder',
  'Observation',
  'OperationOutcome',
  'Organization',
  'Patient',
  'Practitioner',
  'PractitionerRole',
  'Procedure',
  'Provenance',
  'Questionnaire',
  'QuestionnaireResponse',
  'RelatedPerson',
  'RiskAssessment',
  'ServiceRequest',
  'Specimen',
  'Task',
] as const;

/** Resources of the imaging subgraph, which derives them from DICOM. */
export const imagingResources = ['Endpoint', 'ImagingStudy'] as const;

/**
 * Reference parameters that may point at any resource and still become reverse fields. R4 has eighty others
 * (`Observation.focus`, `Composition.entry`, …); each would add two fields to every type.
 */
export const reverseOfAnyTarget: ReadonlySet<string> = new Set([
  'List.item',
  'Provenance.target',
  'Task.focus',
]);

/** With this many targets a parameter means "any resource": R4 then lists all 145; the longest other list has 10. */
export const anyTargetFrom = 60;

/**
 * Search parameters that become arguments of reverse fields, if the resource has them. Only root fields have all: on every
 * reverse field they would multiply the time and memory of composition.
 */
export const reverseFieldParameters: readonly string[] = [
  '_lastUpdated',
  'authored-on',
  'authoredon',
  'category',
  'class',
  'clinical-status',
  'code',
  'code-value-quantity',
  'date',
  'effective',
  'identifier',
  'intent',
  'lifecycle-status',
  'period',
  'recorded',
  'status',
  'type',
  'vaccine-code',
];

/** Names of the lists and pages of a type of resource. */
export const RESOURCE_LIST = /^([A-Z]\w*?)(List|Connection)$/;
