import { LRUCache } from 'lru-cache';

/** Texts of automatic persisted queries (FG-13): ApolloServer keeps them, and authorization finds patients in them. */
export interface PersistedQueries {
  /** For ApolloServer. */
  cache: {
    get: (key: string) => Promise<string | undefined>;
    set: (key: string, text: string) => Promise<void>;
    delete: (key: string) => Promise<boolean>;
  };
  /** Returns the text with this SHA-256 in hexadecimal; undefined when it is not kept. */
  text: (sha256: string) => string | undefined;
}

/** The default limit of ApolloServer. */
const MOST_BYTES = 30 * 1024 * 1024;

/** Creates the store of persisted queries. */
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
    // ApolloServer adds this prefix.
    text: (sha256) => texts.get(`apq:${sha256}`),
  };
}
