import { getOperationAST, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import { shapeOf } from '../document/shape.ts';
import type { FieldScopes } from '../scopes/field-scopes.ts';
import { DocumentFacts, Operation, type ValidOperation } from './operation.ts';

/** Limit of all documents, with what is made of their operations. */
export const KEPT_BYTES = 40_000_000;
/** Bytes that a character of a document takes once it is parsed. */
export const BYTES_OF_CHARACTER = 100;

/** Limit of the shapes of documents. */
const SHAPES_BYTES = 5_000_000;
/** Bytes of what is known of a shape, beside its text. */
const BYTES_OF_FACTS = 2_000;

/** A valid document. */
interface KnownDocument {
  document: DocumentNode;
  /** By which Apollo Server asks for it; undefined for one without positions, with which it would write errors. */
  hash: string | undefined;
  operations: Map<OperationDefinitionNode, Operation>;
  bytes: number;
}

/** In place of a document that was sent once. */
const SENT_ONCE = 'sent once';

/**
 * The valid documents that were sent last, by their text, with their operations; and what is known of the shapes of documents,
 * of which a text that was not sent before may be one.
 */
export class Operations {
  readonly #scopes: FieldScopes | undefined;
  readonly #documents = boundedCache<KnownDocument | typeof SENT_ONCE>({
    size: KEPT_BYTES,
    // One document leaves room for others.
    largest: KEPT_BYTES / 4,
    sizeOf: (known, text) => (known === SENT_ONCE ? 2 * text.length + 100 : known.bytes),
    dispose: (known) => void (known !== SENT_ONCE && known.hash && this.#texts.delete(known.hash)),
  });
  readonly #shapes = boundedCache<DocumentFacts>({
    size: SHAPES_BYTES,
    sizeOf: (_facts, shape) => 2 * shape.length + BYTES_OF_FACTS,
  });
  /** Texts by their hash. */
  readonly #texts = new Map<string, string>();

  /** @param scopes those that the fields of the graph need; undefined for none */
  constructor(scopes?: FieldScopes) {
    this.#scopes = scopes;
  }

  /**
   * The documents for Apollo Server. Its default store writes each document as JSON to measure it, and uses several times
   * that much memory. Apollo Server puts the hash of the schema before that of the text; here there is one schema.
   */
  readonly store = {
    get: async (key: string): Promise<DocumentNode | undefined> =>
      this.document(this.#texts.get(textHash(key)) ?? ''),
    set: async (_key: string, document: DocumentNode): Promise<void> => {
      this.#keep(document.loc!.source.body, document);
    },
    delete: async (key: string): Promise<boolean> =>
      this.#documents.delete(this.#texts.get(textHash(key)) ?? ''),
  };

  /** Bytes that all of it takes. */
  get bytes(): number {
    return this.#documents.calculatedSize;
  }

  /** Returns the document with a text; undefined for one that is not known. */
  document(text: string): DocumentNode | undefined {
    return this.#known(text)?.document;
  }

  /** Returns an operation that was taken. @param name may be undefined when the document has one operation */
  find(text: string, name: string | undefined): Operation | undefined {
    const known = this.#known(text);
    const definition = known && getOperationAST(known.document, name);
    return definition ? known.operations.get(definition) : undefined;
  }

  /** Returns an operation of a valid document, and keeps it with the document. */
  of(valid: ValidOperation): Operation {
    const { source, document, operation } = valid;
    const before = this.#known(source);
    const known = before?.document === document ? before : this.#keep(source, document);
    return known.operations.get(operation) ?? this.#operationIn(known, valid, this.#factsOf(valid));
  }

  /**
   * Returns an operation of a text that is not known, where one of its shape was executed without a plan: it is valid then. It is
   * kept when it is sent again: a text that holds a value seldom is.
   */
  ofKnownShape(sent: ValidOperation): Operation | undefined {
    const { schema, document, source } = sent;
    const shape = shapeOf(schema, document);
    const facts = shape === undefined ? undefined : this.#shapes.get(shape);
    if (!facts?.isExecuted) return undefined;
    if (!this.#documents.has(source)) {
      this.#documents.set(source, SENT_ONCE);
      return new Operation(sent, facts, () => undefined);
    }
    return this.#operationIn(this.#keep(source, document), sent, facts);
  }

  #known(text: string): KnownDocument | undefined {
    const known = this.#documents.get(text);
    return known === SENT_ONCE ? undefined : known;
  }

  #factsOf(valid: ValidOperation): DocumentFacts {
    const shape = shapeOf(valid.schema, valid.document);
    const known = shape === undefined ? undefined : this.#shapes.get(shape);
    if (known) return known;
    const facts = new DocumentFacts(valid, this.#scopes);
    if (shape !== undefined) this.#shapes.set(shape, facts);
    return facts;
  }

  #operationIn(known: KnownDocument, valid: ValidOperation, facts: DocumentFacts): Operation {
    // Apollo Server's context has these members too: it must not live as long as the operation.
    const { source, schema, document, operation } = valid;
    const own = { source, schema, document, operation };
    const made = new Operation(own, facts, (bytes) => this.#grow(source, known, bytes));
    known.operations.set(operation, made);
    return made;
  }

  #keep(text: string, document: DocumentNode): KnownDocument {
    const hash = document.loc && documentIdOf(text);
    const known = { document, hash, operations: new Map(), bytes: BYTES_OF_CHARACTER * (text.length + 1) };
    this.#set(text, known);
    return known;
  }

  #grow(text: string, known: KnownDocument, bytes: number): void {
    known.bytes += bytes;
    // The cache measures a value when it is set.
    if (this.#documents.peek(text) === known) this.#set(text, known);
  }

  #set(text: string, known: KnownDocument): void {
    this.#documents.delete(text);
    this.#documents.set(text, known);
    if (known.hash && this.#documents.has(text)) this.#texts.set(known.hash, text);
  }
}

const textHash = (key: string) => key.slice(key.lastIndexOf(':') + 1);
