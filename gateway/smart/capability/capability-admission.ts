import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tokenNeeded } from '../../../schema/fault/refusals.ts';
import { permitting } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Authorizer } from '../authorize.ts';
import { bearerToken } from '../token/bearer.ts';
import type { Capability } from './capability.ts';
import {
  capabilityExpiry,
  capabilityKey,
  isTokenOf,
  narrowed,
  noLongerValid,
  openCapability,
  sealCapability,
  tokenHash,
} from './capability.ts';
import { oneUse, type OneUse } from './one-use.ts';

/** The study of a capability. */
export interface CapabilityStudy {
  uid: string;
  /** Logical id of its patient, if known. */
  patientId?: string;
}

/** A request with a capability in its path. */
export interface CapabilityRequest {
  method: string;
  raw: IncomingMessage;
  params: unknown;
}

/** Makes and opens capabilities; it does not authorize anything. */
export type CapabilitySealer = ReturnType<typeof capabilitySealer>;

export type Capabilities = ReturnType<typeof capabilities>;

export interface SealerOptions {
  /** SEALING_KEY; the first secret seals, all of them open. */
  secrets: readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Links that were not used yet; by default in this process. */
  links?: OneUse;
}

const LINK_SECONDS = 60;

/** Creates the sealer; use one per process. */
export function capabilitySealer({ secrets, now, links = oneUse(now) }: SealerOptions) {
  const keys = secrets.map(capabilityKey);
  const seconds = () => now() / 1000;
  const capabilityOf = (access: Access, { uid, patientId }: CapabilityStudy) => ({
    tenant: access.tenant,
    studyUid: uid,
    patient: patientId,
    client: access.client,
    user: access.user,
  });

  return {
    /** Returns a path segment that gives its caller one study for `capabilityTtl` seconds (IA-25, IA-26). */
    async seal(tenant: Tenant, access: Access, study: CapabilityStudy): Promise<string> {
      const bound = retrieval(tenant) === 'capability';
      const may = permitting(access.permissions, 'ImagingStudy', 's').length > 0;
      const capability: Capability = {
        ...capabilityOf(access, study),
        operations: may ? 'rs' : 'r',
        expires: capabilityExpiry(access, tenant.authorization.capabilityTtl, seconds()),
        ...(bound && { tokenHash: tokenHash(access.token ?? '') }),
        ...(!bound && access.token !== undefined && { token: access.token }),
      };
      return sealCapability(capability, keys);
    },

    /** Returns a path segment that gives one path below it once, within a minute, without a header (IA-33). */
    async sealLink(_tenant: Tenant, access: Access, study: CapabilityStudy, path: string) {
      const expires = capabilityExpiry(access, LINK_SECONDS, seconds());
      const id = randomUUID();
      await links.issue(id, expires - seconds());
      const capability: Capability = {
        ...capabilityOf(access, study),
        operations: 'r',
        expires,
        token: access.token,
        link: { id, path },
      };
      return { sealed: await sealCapability(capability, keys), expires };
    },

    /** @throws Fault `forbidden` when it was not sealed for this tenant, or has expired */
    open: (tenant: Tenant, sealed: string) => openCapability(sealed, tenant.key, keys, seconds()),
    /** Links that were not used yet. */
    links,
  };
}

/**
 * Creates the authorization of capabilities; use one per process.
 * @param now milliseconds since the epoch
 */
export function capabilities(
  sealer: CapabilitySealer,
  authorizer: Pick<Authorizer, 'authorize' | 'reach'>,
  now: () => number,
) {
  const { links } = sealer;
  const admitted = new RequestValues<IncomingMessage, Capability>();

  /** Returns the token of the request, if the capability requires one, or the token that is sealed in it. */
  const tokenOf = (tenant: Tenant, request: IncomingMessage, opened: Capability): string | undefined => {
    if (opened.tokenHash === undefined) return opened.token;
    const presented = tenant.authorization.type === 'mock' ? '' : bearerToken(request);
    if (presented === undefined) throw tokenNeeded();
    if (!isTokenOf(opened.tokenHash, presented)) throw noLongerValid();
    return presented === '' ? opened.token : presented;
  };

  /**
   * Returns what the token may see now. If the EHR decides who is in reach, it is asked for the capability's patient,
   * whatever the URL names. Token and patient were valid when the capability was made; it ends with them (IA-25).
   */
  const accessOf = async (tenant: Tenant, token: string | undefined, patient: string | undefined) => {
    try {
      const access = await authorizer.authorize(tenant, token);
      const patients = patient === undefined ? [] : [patient];
      return await authorizer.reach(tenant, access, () => ({ patients, studies: [], runs: true }));
    } catch (error) {
      const refused = error instanceof Fault && ['invalid_token', 'forbidden'].includes(error.code);
      // A token that is bound to a key has not ended: the caller learns the reason (SM-21).
      throw refused && !error.details.isExplained ? noLongerValid() : error;
    }
  };

  return {
    sealLink: sealer.sealLink,

    /**
     * Authorizes a request with a capability in its path. Everything is checked again at every request.
     * @throws Fault `forbidden` for an invalid capability, and the faults of authorization
     */
    async admit(tenant: Tenant, { method, raw, params }: CapabilityRequest): Promise<Access> {
      const { capability: sealed = '', studyUid } = params as { capability?: string; studyUid?: string };
      const opened = await sealer.open(tenant, sealed).catch((error: unknown) => {
        throw retrieval(tenant) === 'token' ? notGivenHere() : error;
      });
      const { link } = opened;
      if (!link) requireKind(tenant, opened);
      if (link && method !== 'GET') {
        throw new Fault('method_not_allowed', 'A link can be used for one GET only.', { allow: 'GET' });
      }
      // It leads to no other study, and to no list of others (IA-23).
      if (studyUid !== opened.studyUid || (link && link.path !== below(raw.url ?? '', sealed))) {
        throw noLongerValid();
      }
      const access = await accessOf(tenant, tokenOf(tenant, raw, opened), opened.patient);
      if (access.client !== opened.client || access.user !== opened.user) throw noLongerValid();
      const reached = narrowed(access, opened);
      if (link && !(await links.use(link.id))) throw noLongerValid();
      admitted.set(raw, opened);
      return reached;
    },

    /** Returns the Study Instance UID of a request that was admitted by a link. */
    linkedStudy(request: IncomingMessage): string | undefined {
      const { link, studyUid } = admitted.get(request) ?? {};
      return link && studyUid;
    },

    /** Makes the link usable again until it expires, because nothing was served. */
    async giveBack(request: IncomingMessage): Promise<void> {
      const { link, expires = 0 } = admitted.get(request) ?? {};
      if (link) await links.issue(link.id, expires - now() / 1000);
    },
  };
}

/** Returns how the tenant's images are retrieved; the first image source decides. */
function retrieval(tenant: Tenant) {
  return tenant.images[0]?.retrieve ?? 'token';
}

/** Refuses capabilities of a kind that the tenant does not issue (any more). */
function requireKind(tenant: Tenant, { tokenHash }: Capability): void {
  const mode = retrieval(tenant);
  if (mode === 'token') throw notGivenHere();
  if ((mode === 'capability') !== (tokenHash !== undefined)) throw noLongerValid();
}

function notGivenHere(): Fault {
  return new Fault(
    'forbidden',
    'This tenant gives no capability addresses. Retrieve below /dicomweb with an access token, or by a new link.',
  );
}

/** Returns the path after the capability in a URL, unchanged; undefined when the URL spells the capability differently. */
function below(url: string, sealed: string): string | undefined {
  const before = `/wado/${sealed}/`;
  const start = url.indexOf(before);
  return start < 0 ? undefined : url.slice(start + before.length);
}
