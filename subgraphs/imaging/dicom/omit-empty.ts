/**
 * Returns a copy without empty members: FHIR JSON has neither nulls nor empty arrays (FHIR R4 §2.6.2). The caller may
 * change the copy.
 */
export function omitEmpty<T extends object>(element: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(element).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  ) as T;
}
