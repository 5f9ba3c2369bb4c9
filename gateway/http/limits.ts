/** What one GraphQL request may ask for (FG-12). docs/operations.md lists these with their defaults. */
export interface Limits extends DocumentLimits {
  /** Bytes of a request's body. */
  body: number;
  /** Lexical tokens of the document. */
  tokens: number;
  /** Brackets within brackets in the document's text: parsers call themselves for each. */
  brackets: number;
  /** Values in the variables of a request, those within lists and objects counted too. */
  variableValues: number;
  /** Fields in the answer at most: as `operationCost` estimates them, and then as `AnswerBudget` counts them. */
  cost: number;
  /** Fields in the answer of an introspection that is not the usual one. */
  introspection: number;
  /** Seconds until what has no answer yet is an error with code `gateway_timeout`. */
  seconds: number;
}

/** What a document may hold: counted before it is validated, with all its fragments unfolded. */
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
  /** Pairs of fields with one name in one selection: validation compares each field with each. */
  repetitions: number;
  /** Uses of fragments, inline ones included. */
  fragments: number;
  /** Fragments within fragments. */
  fragmentDepth: number;
  directives: number;
  /** Values of arguments that stand in the document, those within lists and objects counted too. */
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
