/**
 * Which resources the clinical subgraph serves unless all of R4 is asked for: US Core and what imaging
 * needs. Adding a resource is one line here, then `npm run generate && npm run compose`.
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

/** The resources the imaging subgraph owns: it derives them from DICOM. */
export const imagingResources = ['Endpoint', 'ImagingStudy'] as const;

/**
 * Reference parameters that may point at any resource and still become reverse fields. The other eighty of
 * R4 (`Observation.focus`, `Composition.entry`, …) would add two fields each to every type.
 */
export const reverseOfAnyTarget: ReadonlySet<string> = new Set([
  'List.item',
  'Provenance.target',
  'Task.focus',
]);

/** More targets than this means "any resource" (R4 lists all 145 of them then; the longest true list has 10). */
export const anyTargetFrom = 60;

/**
 * The search parameters that a reverse field takes as arguments, where its resource has them. The full lists
 * are on the root fields: on every reverse field they would multiply the time and memory of composition.
 */
export const reverseFieldParameters: readonly string[] = [
  '_lastUpdated',
  'authored-on',
  'authoredon',
  'category',
  'class',
  'clinical-status',
  'code',
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
