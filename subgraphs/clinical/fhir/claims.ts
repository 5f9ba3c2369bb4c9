import type { CapabilityStatementRestResource } from 'fhir/r4.js';
import { operationsAt } from '../../../schema/fhir/operations.ts';
import { clinicalResources, reverseParameters, searchParameters } from '../../../schema/fhir/tables.ts';
import { canSearchBy } from '../record/supported-parameters.ts';
import type { ClinicalSource, SourceCapabilities } from '../sources/source.ts';

/** The part of a CapabilityStatement about the record (R4 §3.1.0.9, SM-4). It claims only what the source really does. */

type Claims = readonly CapabilityStatementRestResource[];

/** The properties of a source on which the claims depend. */
type ClaimedSource = Pick<ClinicalSource, 'supports' | 'version' | 'capabilities'>;

const claimed = new WeakMap<object, Claims>();

/**
 * Returns the claims of a source, one for each resource type: the same array while the source declares the same.
 * @param kind stands for all sources that declare nothing and support the same
 */
export async function claimsOf(kind: object, source: ClaimedSource): Promise<Claims> {
  const declared = await source.capabilities?.();
  const basis = declared ?? kind;
  let claims = claimed.get(basis);
  if (!claims) {
    const offered = clinicalResources.filter((type) => !declared || declared.has(type));
    claims = offered.map((type) => claimOf(type, source, declared));
    claimed.set(basis, claims);
  }
  return claims;
}

function claimOf(
  type: string,
  source: ClaimedSource,
  declared: SourceCapabilities | undefined,
): CapabilityStatementRestResource {
  const operation = operationsAt(type);
  const offers = (interaction: string) => !declared || declared.get(type)!.interactions.has(interaction);
  return {
    type: type as CapabilityStatementRestResource['type'],
    interaction: [
      ...(offers('read')
        ? ([{ code: 'read' }, { code: 'vread' }, { code: 'history-instance' }] as const)
        : []),
      ...(offers('search-type') ? ([{ code: 'search-type' }] as const) : []),
    ],
    versioning: 'versioned',
    // Without older versions, vread and history give the current one.
    readHistory: source.version !== undefined && (declared === undefined || offers('vread')),
    conditionalRead: 'full-support',
    ...(operation && { operation }),
    ...(offers('search-type') && searchClaims(type, source)),
  };
}

function searchClaims(type: string, source: ClaimedSource): Partial<CapabilityStatementRestResource> {
  const parameters = searchParameters(type);
  const searchParam = parameters
    .filter(({ code }) => canSearchBy(source, type, code))
    .map(({ code, type }) => ({ name: code, type }));
  const searchInclude = parameters
    .filter(({ targets = [] }) => targets.some((target) => clinicalResources.includes(target)))
    .map(({ code }) => `${type}:${code}`);
  // Parameters that may refer to every type work too, but would be 80 more for each.
  const searchRevInclude = clinicalResources.flatMap((other) =>
    reverseParameters(other, type)
      .filter((code) => canSearchBy(source, other, code))
      .map((code) => `${other}:${code}`),
  );
  return {
    ...(searchInclude.length > 0 && { searchInclude: ['*', ...searchInclude] }),
    ...(searchRevInclude.length > 0 && { searchRevInclude }),
    ...(searchParam.length > 0 && { searchParam }),
  };
}
