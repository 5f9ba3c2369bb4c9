/** The patient of the first request, in the tenants `demo`, `open` and `hardcoded-patient`. */
export const DEMO_PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';

/** The backend service of the demonstration. */
export const DEMO_CLIENT = 'demo-analyst';

/** The first request for a newcomer: printed at the start, in the README and in the playground. */
export const FIRST_REQUEST = {
  query:
    'query Record($id: ID!) { Patient(id: $id) { name { given family } birthDate ' +
    'ConditionList { code { text } onsetDateTime } ' +
    'MedicationRequestList { status medicationCodeableConcept { text } } ' +
    'AllergyIntoleranceList { code { text } criticality } ' +
    'timeline(_count: 8) { entries { date kind title studies { id } } } ' +
    'DiagnosticReportList { status code { coding { display } } conclusion ImagingStudyList { id } } ' +
    'ImagingStudyList { id started description series { uid modality { code } description numberOfInstances ' +
    'instance { uid wadoUrl } } } } }',
  variables: { id: DEMO_PATIENT },
} as const;

/** Returns the body of the first request. @param patientId logical id */
export const firstRequest = (patientId: string) => ({ ...FIRST_REQUEST, variables: { id: patientId } });

/**
 * Returns the shell command that sends a GraphQL request.
 * @param tenantBase absolute
 * @param token or the shell variable that has it
 */
export function requestCommand(tenantBase: string, token: string, body: object = FIRST_REQUEST): string {
  return `curl -s ${tenantBase}/graphql -H "authorization: Bearer ${token}" -H 'content-type: application/json' --data '${JSON.stringify(body)}'`;
}

/**
 * Returns two shell commands: one gets a token by `client_credentials`, the other sends the request with it.
 * @param secretFile file with the secret of the demonstration's backend client; the command reads it, so that the secret
 *   is not shown
 */
export function firstRequestCommands(baseUrl: string, secretFile: string): string {
  const file = secretFile.replaceAll("'", `'\\''`);
  return `TOKEN=$(curl -s -u "${DEMO_CLIENT}:$(cat '${file}')" -d 'grant_type=client_credentials&scope=system/*.rs' ${baseUrl}/demo/oauth/token | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
${requestCommand(`${baseUrl}/demo`, '$TOKEN')}`;
}
