/** Reads the gateway's explanation of a query, before and after it runs (`docs/graphql-cost.md`). */
export interface Explained {
  cost: number;
  limit: number;
  depth: number;
  depthLimit: number;
  /** The most expensive fields first; the cost of each holds that of the fields in it. */
  fields: readonly { path: string; cost: number }[];
  plan?: { kind: 'direct' | 'planned'; text?: string };
  calls?: readonly Call[];
  furtherCalls?: number;
  milliseconds?: number;
}

export interface Call {
  source: string;
  request: string;
  /** Milliseconds from the beginning of the execution. */
  at: number;
  milliseconds: number;
  error?: string;
}

/** Returns the explanation in an answer. */
export function explainedIn(
  extensions: Readonly<Record<string, unknown>> | undefined,
): Explained | undefined {
  return extensions?.['explain'] as Explained | undefined;
}

/**
 * Returns the field in which a cost is spent: the deepest of the expensive ones that hold most of it, such as a list in a list.
 */
export function costliest({ cost, fields }: Explained): string | undefined {
  return fields.filter((field) => field.cost > cost / 2).at(-1)?.path;
}
