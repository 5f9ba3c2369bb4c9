import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** Limit of the characters of all documents in a cache; parsed, each character takes about 100 bytes. */
export const KEPT_CHARACTERS = 256 * 1024;

/** Returns a function that makes a value of a text, and keeps the values of the last texts. */
export function keptByText<Value extends object>(make: (text: string) => Value): (text: string) => Value {
  const kept = new LRUCache<string, Value>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (_value, text) => text.length,
  });
  return (text) => {
    const value = kept.get(text) ?? make(text);
    kept.set(text, value);
    return value;
  };
}

/**
 * Parsed and validated documents by the hash of their text, for Apollo Server. Its default store writes each document as
 * JSON to measure it, and uses several times that much memory. Apollo Server puts the hash of the schema before that of the
 * text; here there is one schema.
 */
export class DocumentCache {
  readonly #documents = new LRUCache<string, DocumentNode>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: ({ loc }) => Math.max(1, loc?.end ?? 0),
  });

  async get(key: string): Promise<DocumentNode | undefined> {
    return this.#documents.get(textHash(key));
  }

  async set(key: string, document: DocumentNode): Promise<void> {
    this.#documents.set(textHash(key), document);
  }

  async delete(key: string): Promise<boolean> {
    return this.#documents.delete(textHash(key));
  }
}

const textHash = (key: string) => key.slice(key.lastIndexOf(':') + 1);
