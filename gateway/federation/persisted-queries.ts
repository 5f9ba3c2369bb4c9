import { LRUCache } from 'lru-cache';

/** The texts of automatic persisted queries (FG-13): ApolloServer keeps them, and authorization reads whom they name. */
export interface PersistedQueries {
  /** For ApolloServer. */
  cache: {
    get: (key: string) => Promise<string | undefined>;
    set: (key: string, text: string) => Promise<void>;
    delete: (key: string) => Promise<boolean>;
  };
  /** The text of a SHA-256 in hexadecimal; undefined where it is not kept (any more). */
  text: (sha256: string) => string | undefined;
}

/** As much as ApolloServer keeps by itself. */
const MOST_BYTES = 30 * 1024 * 1024;

export function persistedQueries(): PersistedQueries {
  const texts = new LRUCache<string, string>({
    maxSize: MOST_BYTES,
    sizeCalculation: (text, key) => 2 * (text.length + key.length),
  });
  return {
    cache: {
      get: async (key) => texts.get(key),
      set: async (key, text) => void texts.set(key, text),
      delete: async (key) => texts.delete(key),
    },
    // ApolloServer's own prefix.
    text: (sha256) => texts.get(`apq:${sha256}`),
  };
}
