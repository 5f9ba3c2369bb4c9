/**
 * Changes of the API that break clients and are made on purpose, for a new major version: the sentence of
 * `npm run check:contract`, and the reason. The list is empty again after the release.
 */
export const ACCEPTED_CHANGES: Readonly<Record<string, string>> = {};
