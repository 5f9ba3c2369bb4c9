import { LRUCache } from 'lru-cache';
import { parseScopes, type Permission } from '../../../schema/access/scopes.ts';

/** Creates a function that parses scopes and keeps the results: tokens of one app have the same scopes and share one list. */
export function keptScopes(): (scope: string | undefined) => readonly Permission[] {
  const lists = new LRUCache<string, readonly Permission[]>({ max: 1000 });
  return (scope = '') => {
    const kept = lists.get(scope) ?? parseScopes(scope);
    lists.set(scope, kept);
    return kept;
  };
}
