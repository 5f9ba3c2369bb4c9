/** LOINC codes of the two values of a blood pressure (FHIR R4, profile of vital signs). */
export const [SYSTOLIC, DIASTOLIC] = ['8480-6', '8462-4'] as const;
