/** Limits of one GraphQL request (FG-12). docs/limits.md lists them with their defaults. */
export interface Limits extends DocumentLimits {
  /** Bytes of a request's body. */
  body: number;
  /** Lexical tokens of the document. */
  tokens: number;
  /** Brackets within brackets in the document's text: parsers recurse for each. */
  brackets: number;
  /** Values in the variables of a request, with those within lists and objects. */
  variableValues: number;
  /** Fields in the answer: `operationCost` estimates them first, then `AnswerBudget` counts them. */
  cost: number;
  /** Fields in the answer to an introspection that is not in the usual form. */
  introspection: number;
  /** Seconds after which fields without an answer become errors with code `gateway_timeout`. */
  seconds: number;
}

/** Limits of a document. They are counted before it is validated, with all its fragments unfolded. */
export interface DocumentLimits {
  /** Operations and named fragments. */
  definitions: number;
  /** Variables that operations declare. */
  variables: number;
  /** Fields within fields. */
  depth: number;
  /** Fields of the operation itself. */
  rootFields: number;
  fields: number;
  /** Fields that name a resource or a list of them, and fragments on another type of resource. */
  resources: number;
  aliases: number;
  /** Pairs of fields with the same name in one selection: validation compares each with each. */
  repetitions: number;
  /** Uses of fragments, including inline fragments. */
  fragments: number;
  /** Fragments within fragments. */
  fragmentDepth: number;
  directives: number;
  /** Values of arguments in the document, with those within lists and objects. */
  values: number;
}

/** A list of 1,000 resources with 50 fields each fits; a thousand patients with full nested lists do not. */
export const DEFAULT_LIMITS: Limits = {
  body: 256 * 1024,
  tokens: 8000,
  brackets: 150,
  definitions: 50,
  variables: 100,
  variableValues: 250,
  depth: 30,
  rootFields: 30,
  fields: 500,
  resources: 60,
  aliases: 100,
  repetitions: 2000,
  fragments: 200,
  fragmentDepth: 100,
  directives: 100,
  values: 500,
  cost: 50_000,
  introspection: 10_000,
  seconds: 60,
};
