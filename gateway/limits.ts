/** What one GraphQL request may ask for (FG-12). */
export interface Limits {
  /** Bytes of a request's body. */
  body: number;
  /** Lexical tokens of the document. */
  tokens: number;
  /** Fields within fields, fragments unfolded. */
  depth: number;
  /** Aliased fields, fragments unfolded. */
  aliases: number;
  /** Fields of the operation itself. */
  rootFields: number;
  /** Directives, fragments unfolded. */
  directives: number;
  /** Fields in the answer at most, as `operationCost` estimates them. */
  cost: number;
  /** Seconds until what has no answer yet is an error with code `gateway_timeout`. */
  seconds: number;
}

/** A list of 1,000 resources with hundreds of fields each fits; a thousand patients with full nested lists do not. */
export const DEFAULT_LIMITS: Limits = {
  body: 256 * 1024,
  tokens: 8000,
  depth: 30,
  aliases: 100,
  rootFields: 30,
  directives: 100,
  cost: 500_000,
  seconds: 60,
};
