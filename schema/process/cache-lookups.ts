/** The caches whose hits are counted. */
export type CacheName = 'tokens' | 'operations' | 'searches' | 'metadata' | 'thumbnails' | 'shared';

/** Counts a question to a cache. */
export type CountLookup = (cache: CacheName, isHit: boolean) => void;
