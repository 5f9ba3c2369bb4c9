import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import { Kind, print } from 'graphql';
import type { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import type { Limits } from '../document/limits.ts';
import { parseDocument } from '../document/parse-document.ts';
import type { Answer } from './answer.ts';
import { takeDataDirectives, type FlattenedDocument } from './data-directives.ts';
import { instanceQuery, unwrapInstance } from './instance-query.ts';
import { RearrangedAnswer } from './rearranged-answer.ts';
import { addSliceValues } from './slice-expression.ts';
import { inSchemaForm } from './specification-form.ts';

/** The resource at which `$graphql` is called. */
export interface Instance {
  type: string;
  id: string;
}

/** A document for `$graphql` in the form that is executed (FG-25). */
export interface FhirDocument {
  /** The document of the schema; the text that was sent when nothing is rewritten. */
  text: string;
  /** Changes the answer into the one of the document that was sent. */
  finish: ((answer: Answer) => Promise<void>) | undefined;
}

/** The schema and the limits for rewriting a document. */
interface Means {
  schema: GraphQLSchema;
  limits: Limits;
  instance?: Instance | undefined;
  /** Evaluates FHIRPath. */
  selector: ItemSelector;
  /** Identifies the request: its expressions share one time limit. */
  request: object;
}

/**
 * Turns a document of the FHIR GraphQL specification into one of the schema. Limits, validation and authorization of
 * the execution see only that one, so that nothing that is written here is beyond them.
 * @param means `instance` is undefined at system level
 * @throws Fault `invalid_request` for a document that does not parse, or that cannot be rewritten
 */
export function fhirDocument(
  sent: { query: string; operationName?: unknown },
  { schema, limits, instance, ...evaluation }: Means,
): FhirDocument {
  const parsed = parseDocument(sent.query, limits);
  const rooted = instance ? instanceQuery(parsed, instance.type, instance.id) : parsed;
  const document = inSchemaForm(rooted, schema, limits);
  const flattened = takeDataDirectives(document, schema, limits.directives);
  if (!flattened && document === parsed) return { text: sent.query, finish: undefined };
  const operation = flattened && operationOf(document, sent.operationName);
  return {
    text: print(flattened?.executed ?? document),
    async finish(answer) {
      if (flattened && answer.data) await addSliceValues(answer.data, flattened.expressions, evaluation);
      if (flattened && operation) rearrange(answer, { schema, document, operation, flattened });
      if (instance) unwrapInstance(answer);
      // They are of the text that was executed.
      for (const error of answer.errors ?? []) delete error.locations;
    },
  };
}

function rearrange(
  answer: Answer,
  asked: {
    schema: GraphQLSchema;
    document: DocumentNode;
    operation: OperationDefinitionNode;
    flattened: FlattenedDocument;
  },
): void {
  const { schema, document, operation, flattened } = asked;
  const { directives, hidden } = flattened;
  if (answer.data) {
    answer.data = new RearrangedAnswer(schema, document, directives).data(operation, answer.data);
  }
  const shown = (path: unknown[]) => path.map((part) => hidden.get(String(part)) ?? part);
  for (const error of answer.errors ?? []) {
    if (error.path) error.path = shown(error.path);
  }
}

/** Returns the operation that is executed. The execution refuses a request that names none. */
function operationOf({ definitions }: DocumentNode, name: unknown): OperationDefinitionNode | undefined {
  const operations = definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  return operations.find((one) => one.name?.value === name) ?? operations[0];
}
