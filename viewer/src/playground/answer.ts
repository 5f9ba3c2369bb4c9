/** What is sent, and what comes back. */

export interface Asked {
  query: string;
  variables: Readonly<Record<string, unknown>>;
  operationName?: string | undefined;
}

export interface Answer {
  asked: Asked;
  /** HTTP status. */
  status: number;
  /** From sending to the last byte. */
  milliseconds: number;
  /** Of the body, without compression. */
  bytes: number;
  /** The body as it came, and as JSON; a body that is no JSON is undefined there. */
  text: string;
  json: GraphqlAnswer | undefined;
}

export interface GraphqlAnswer {
  data?: Readonly<Record<string, unknown>> | null;
  errors?: readonly GraphqlError[];
  extensions?: Readonly<Record<string, unknown>>;
}

export interface GraphqlError {
  message: string;
  path?: readonly (string | number)[];
  extensions?: Readonly<Record<string, unknown>>;
}
