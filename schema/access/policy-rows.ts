/** A row of a tenant's policy: of a backend client, or of a user. */
export interface PolicyOwner {
  client_id?: string | undefined;
  user?: string | undefined;
}

/**
 * Returns the rows of the policy for a user. A row that names a client too is for the user in that app. Only the absolute URL
 * counts: a relative one could be of any server. The service of a policy decides for clients only.
 */
export function rowsOfUser<Row extends PolicyOwner>(
  policy: readonly Row[] | { url: string },
  user: string | undefined,
  client: string | undefined,
): readonly Row[] {
  if (!('filter' in policy) || user === undefined) return [];
  return policy.filter(
    (row) => row.user === user && (row.client_id === undefined || row.client_id === client),
  );
}
