import { getOperationAST, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import type { FieldScopes } from '../scopes/field-scopes.ts';
import { Operation, type ValidOperation } from './operation.ts';

/** Limit of all documents, with what is made of their operations. */
export const KEPT_BYTES = 40_000_000;
/** Bytes that a character of a document takes once it is parsed. */
export const BYTES_OF_CHARACTER = 100;

/** A valid document. */
interface KnownDocument {
  document: DocumentNode;
  hash: string;
  operations: Map<OperationDefinitionNode, Operation>;
  bytes: number;
}

/** The valid documents that were sent last, by their text, with their operations. */
export class Operations {
  readonly #scopes: FieldScopes | undefined;
  readonly #documents = boundedCache<KnownDocument>({
    size: KEPT_BYTES,
    // One document leaves room for others.
    largest: KEPT_BYTES / 4,
    sizeOf: ({ bytes }) => bytes,
    dispose: ({ hash }) => void this.#texts.delete(hash),
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
    set: async (key: string, document: DocumentNode): Promise<void> => {
      this.#keep(document.loc!.source.body, textHash(key), document);
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
    return this.#documents.get(text)?.document;
  }

  /** Returns an operation that was taken. @param name may be undefined when the document has one operation */
  find(text: string, name: string | undefined): Operation | undefined {
    const known = this.#documents.get(text);
    const definition = known && getOperationAST(known.document, name);
    return definition ? known.operations.get(definition) : undefined;
  }

  /** Returns an operation of a valid document, and keeps it with the document. */
  of(valid: ValidOperation): Operation {
    const { source, queryHash, document, operation } = valid;
    const before = this.#documents.get(source);
    const known = before?.document === document ? before : this.#keep(source, queryHash, document);
    let found = known.operations.get(operation);
    if (!found) {
      found = new Operation(valid, this.#scopes, (bytes) => this.#grow(source, known, bytes));
      known.operations.set(operation, found);
    }
    return found;
  }

  #keep(text: string, hash: string, document: DocumentNode): KnownDocument {
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
    if (this.#documents.has(text)) this.#texts.set(known.hash, text);
  }
}

const textHash = (key: string) => key.slice(key.lastIndexOf(':') + 1);
