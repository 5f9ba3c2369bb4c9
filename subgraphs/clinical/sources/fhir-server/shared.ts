import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import type { CircuitBreaker } from '../../../../schema/outbound/circuit-breaker.ts';
import { CircuitBreakers, type StateLog } from '../../../../schema/outbound/circuit-breakers.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { silentServer } from '../fhir-server-fault.ts';
import { ResourceMatcher } from '../resource-matcher.ts';
import { CapabilityCache } from './capabilities.ts';
import { signOfLife, TIMEOUT_MS, type FhirHttpOptions } from './http.ts';

const NO_LOG: StateLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** State that all requests to FHIR servers share. Use one per process. */
export class FhirServersShared {
  readonly matcher = new ResourceMatcher();
  readonly capabilities = new CapabilityCache();
  /** Searches, by server, type and names of parameters, that a server refuses with `handling=strict` and answers without. */
  readonly refuseStrict = boundedCache<true>({ entries: 10_000 });
  /** Servers that have given a link to a next page: a page without one is then their last. */
  readonly givesNext = boundedCache<true>({ entries: 10_000 });
  /** Whether servers that give no such links continue a search at `_offset`. */
  readonly takesOffset = boundedCache<boolean>({ entries: 10_000 });

  /** Servers that do not answer. */
  readonly breakers: CircuitBreakers;

  constructor(log?: StateLog) {
    this.breakers = new CircuitBreakers(log ?? NO_LOG);
  }

  /** Returns what is remembered of a server that does not answer: tenants with the same address and connections share it. */
  breakerOf(
    tenant: Tenant,
    server: Pick<FhirHttpOptions, 'base' | 'dispatcher' | 'timeout'>,
  ): CircuitBreaker {
    const { base: address, timeout: patience = TIMEOUT_MS } = server;
    const source = { kind: 'FHIR server', address, patience, silence: silentServer };
    const user = { tenant, place: 'clinical (fhir)' };
    const breaker = this.breakers.of(this.capabilities.keyOf(server), source, user);
    breaker.probeBy((signal) => signOfLife(server, signal));
    return breaker;
  }

  close(): void {
    this.matcher.close();
    this.breakers.close();
  }
}
