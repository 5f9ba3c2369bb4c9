/** The patient of the first request: in the demo tenant, in `open`, and the one of `hardcoded-patient`. */
export const DEMO_PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';

/** The first request that anyone sends here: printed at the start, in the README, in the playground. */
export const READY_MADE = {
  query:
    'query Record($id: ID!) { Patient(id: $id) { name { given family } birthDate ' +
    'ConditionList { code { text } onsetDateTime } ' +
    'MedicationRequestList { status medicationCodeableConcept { text } } ' +
    'AllergyIntoleranceList { code { text } criticality } ' +
    'ObservationList(_count: 3) { code { coding { display } } effectiveDateTime valueQuantity { value unit } } ' +
    'DiagnosticReportList { status code { coding { display } } conclusion ImagingStudyList { id } } ' +
    'ImagingStudyList { id started description series { uid modality { code } description numberOfInstances ' +
    'instance { uid wadoUrl } } } } }',
  variables: { id: DEMO_PATIENT },
} as const;

/** The request as a shell command. */
export function readyMadeCommand(baseUrl: string): string {
  const body = JSON.stringify(READY_MADE);
  return `curl -s ${baseUrl}/demo/graphql -H 'content-type: application/json' --data '${body}'`;
}
