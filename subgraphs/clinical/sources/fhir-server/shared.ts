import { LRUCache } from 'lru-cache';
import { ResourceMatcher } from '../resource-matcher.ts';
import { CapabilityCache } from './capabilities.ts';

/** What all requests to FHIR servers share. Use one per process. */
export class FhirServersShared {
  readonly matcher = new ResourceMatcher();
  readonly capabilities = new CapabilityCache();
  /** Searches, by server, type and names of parameters, that a server refuses with `handling=strict` and answers without. */
  readonly refuseStrict = new LRUCache<string, true>({ max: 10_000 });
  /** Servers that have given a link to a next page: a page without one is then their last. */
  readonly givesNext = new LRUCache<string, true>({ max: 10_000 });
  /** Whether servers that give no such links continue a search at `_offset`. */
  readonly takesOffset = new LRUCache<string, boolean>({ max: 10_000 });

  close(): void {
    this.matcher.close();
  }
}
