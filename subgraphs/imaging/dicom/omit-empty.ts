/**
 * The element without the members that hold nothing: FHIR JSON has neither nulls nor empty arrays (FHIR R4 §2.6.2).
 * A fresh object, so that what is handed out may be changed by whoever gets it.
 */
export function omitEmpty<T extends object>(element: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(element).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  ) as T;
}
