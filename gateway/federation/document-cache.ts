import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** Characters of the documents that are kept; parsed, each takes some 100 bytes. */
export const KEPT_CHARACTERS = 256 * 1024;

/**
 * Documents that were parsed and validated, by the hash of their text, for Apollo Server. Its own store measures them by
 * writing each as JSON, and keeps several times as much as that.
 */
export class DocumentCache {
  readonly #documents = new LRUCache<string, DocumentNode>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: ({ loc }) => Math.max(1, loc?.end ?? 0),
  });

  async get(key: string): Promise<DocumentNode | undefined> {
    return this.#documents.get(key);
  }

  async set(key: string, document: DocumentNode): Promise<void> {
    this.#documents.set(key, document);
  }

  async delete(key: string): Promise<boolean> {
    return this.#documents.delete(key);
  }
}
