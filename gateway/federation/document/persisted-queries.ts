import { boundedCache } from '../../../schema/cache/bounded-cache.ts';

/** Texts of automatic persisted queries (FG-13): ApolloServer keeps them, and authorization finds patients in them. */
export type PersistedQueries = ReturnType<typeof persistedQueries>;

/** The default limit of ApolloServer. */
const MOST_BYTES = 30 * 1024 * 1024;

/** Creates the store of persisted queries. */
export function persistedQueries() {
  const texts = boundedCache<string>({
    size: MOST_BYTES,
    sizeOf: (text, key) => 2 * (text.length + key.length),
  });
  return {
    /** For ApolloServer. */
    cache: {
      get: async (key: string) => texts.get(key),
      set: async (key: string, text: string) => void texts.set(key, text),
      delete: async (key: string) => texts.delete(key),
    },
    /** Returns the text with this SHA-256 in hexadecimal; undefined when it is not kept. ApolloServer adds the prefix. */
    text: (sha256: string) => texts.get(`apq:${sha256}`),
  };
}
