/** Search parameters as in a URL: repeated names mean AND, commas in a value mean OR (R4 §3.1.1.3). */
export type SearchParams = readonly (readonly [name: string, value: string])[];
