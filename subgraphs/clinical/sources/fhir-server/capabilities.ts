import type { CapabilityStatementRest, CapabilityStatementRestResource } from 'fhir/r4.js';
import type { Dispatcher } from 'undici';
import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { Fault, type FaultCode } from '../../../../schema/fault/fault.ts';
import { isResourceType } from '../../../../schema/fhir/tables.ts';
import type { SourceCapabilities, TypeCapabilities } from '../source.ts';
import { FhirHttp, type FhirHttpOptions } from './http.ts';

const HOUR_SECONDS = 3600;
/** Time after which a server that could not be reached is asked again. */
const RETRY_MS = 60_000;
/** A server that is slow here must not delay the first search for long. */
const TIMEOUT_MS = 2_000;
/** Large servers declare hundreds of types in a few MB. */
const MAX_BYTES = 16 * 1024 * 1024;

const AWAY: ReadonlySet<FaultCode> = new Set(['unavailable', 'too_many_requests']);

interface Known {
  capabilities?: SourceCapabilities;
}

/**
 * The CapabilityStatements of FHIR servers. Each server is asked once in an hour, for all callers, and without a token:
 * `/metadata` is public (R4 §3.1.0.9). Use one per process.
 */
export class CapabilityCache {
  readonly #known = boundedCache<Known, string, FhirHttpOptions>({
    entries: 1_000,
    seconds: HOUR_SECONDS,
    fetch: async (_key, _stale, { options, context }) => {
      try {
        return { capabilities: await read(context) } as Known;
      } catch (error) {
        if (error instanceof Fault && AWAY.has(error.code)) options.ttl = RETRY_MS;
        return {};
      }
    },
  });
  readonly #numbers = new WeakMap<Dispatcher, number>();
  #last = 0;

  /** Returns what a server declares; undefined when it has no statement, or one that cannot be read. It never throws. */
  async of(options: FhirHttpOptions): Promise<SourceCapabilities | undefined> {
    const { base, dispatcher, breaker, timeout = TIMEOUT_MS } = options;
    if (breaker?.open) return this.known(options);
    const context = {
      base,
      timeout: Math.min(timeout, TIMEOUT_MS),
      maxBytes: MAX_BYTES,
      ...(dispatcher && { dispatcher }),
    };
    return (await this.#known.fetch(this.keyOf(options), { context }))?.capabilities;
  }

  /** Returns what is known of a server without asking it. */
  known(options: FhirHttpOptions): SourceCapabilities | undefined {
    return this.#known.get(this.keyOf(options))?.capabilities;
  }

  /**
   * Returns the name of a server and the way to it. A tenant must not learn what another found out about a server that is closed to it (SM-15), or be without what another
   * could not read.
   */
  keyOf({ base, dispatcher }: Pick<FhirHttpOptions, 'base' | 'dispatcher'>): string {
    if (!dispatcher) return base;
    if (!this.#numbers.has(dispatcher)) this.#numbers.set(dispatcher, ++this.#last);
    return `${this.#numbers.get(dispatcher)} ${base}`;
  }
}

async function read(options: FhirHttpOptions): Promise<SourceCapabilities | undefined> {
  return readCapabilities(await new FhirHttp(options).get('/metadata', undefined));
}

/** Reads a CapabilityStatement; undefined when it names no resource type. Parts that break the profile are left out. */
function readCapabilities(statement: unknown): SourceCapabilities | undefined {
  const { resourceType, rest } = (statement ?? {}) as Record<string, unknown>;
  if (resourceType !== 'CapabilityStatement') return undefined;
  const server = objects<CapabilityStatementRest>(rest).find(({ mode }) => mode === 'server');
  const common = codes(server?.searchParam, 'name');
  const types = new Map<string, TypeCapabilities>();
  for (const resource of objects<CapabilityStatementRestResource>(server?.resource)) {
    if (typeof resource.type === 'string' && isResourceType(resource.type)) {
      types.set(resource.type, typeCapabilities(resource, common));
    }
  }
  return types.size > 0 ? types : undefined;
}

function typeCapabilities(
  resource: Partial<CapabilityStatementRestResource>,
  common: readonly string[],
): TypeCapabilities {
  return {
    interactions: new Set(codes(resource.interaction, 'code')),
    searchParameters: new Set([...common, ...codes(resource.searchParam, 'name')]),
    includes: new Set(texts(resource.searchInclude)),
    revincludes: new Set(texts(resource.searchRevInclude)),
  };
}

function objects<T extends object>(value: unknown): Partial<T>[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : [];
}

function codes(value: unknown, field: string): string[] {
  return texts(objects<Record<string, unknown>>(value).map((item) => item[field]));
}

/** The longest codes of the standard have about 40 characters. */
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((text) => typeof text === 'string' && text.length <= 100) : [];
