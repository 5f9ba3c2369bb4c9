/** Search parameters as in a URL: repeated names are AND, commas within a value OR (R4 §3.1.1.3). */
export type SearchParams = readonly (readonly [name: string, value: string])[];
