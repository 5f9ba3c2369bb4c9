import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tokenNeeded } from '../../../schema/fault/refusals.ts';
import { permitting } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
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

/** A study as far as a capability names it. */
export interface CapabilityStudy {
  uid: string;
  /** Logical id of its patient, where that is known. */
  patientId?: string;
}

/** What a request with a capability asks for. */
export interface CapabilityRequest {
  method: string;
  raw: IncomingMessage;
  params: unknown;
}

/** Makes capabilities and opens them; it asks nobody what they may see. */
export interface CapabilitySealer {
  /** A path segment that gives its caller one study for `capabilityTtl` seconds (IA-25, IA-26). */
  seal(tenant: Tenant, access: Access, study: CapabilityStudy): Promise<string>;
  /** A path segment with which one path below it can be had once, within a minute, without a header (IA-33). */
  sealLink(
    tenant: Tenant,
    access: Access,
    study: CapabilityStudy,
    path: string,
  ): Promise<{ sealed: string; expires: number }>;
  /** @throws Fault `forbidden` for what was not sealed for this tenant, or has ended */
  open(tenant: Tenant, sealed: string): Promise<Capability>;
  /** Which links are still to be used. */
  links: OneUse;
}

export interface Capabilities extends Pick<CapabilitySealer, 'sealLink'> {
  /**
   * What a request may see whose path carries a capability; all is checked anew at every request.
   * @throws Fault `forbidden` for whatever is wrong with the capability, and what authorization throws
   */
  admit(tenant: Tenant, request: CapabilityRequest): Promise<Access>;
  /** Study Instance UID of a request that was admitted by a link. */
  linkedStudy(request: IncomingMessage): string | undefined;
  /** Nothing was served: the link may be used again until it ends. */
  giveBack(request: IncomingMessage): Promise<void>;
}

export interface SealerOptions {
  /** SEALING_KEY; the first seals, all open. */
  secrets: readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Which links are still to be used; in this process where it is not given. */
  links?: OneUse;
}

const LINK_SECONDS = 60;

/** One for the process. */
export function capabilitySealer({ secrets, now, links = oneUse(now) }: SealerOptions): CapabilitySealer {
  const keys = secrets.map(capabilityKey);
  const seconds = () => now() / 1000;
  const capabilityOf = (access: Access, { uid, patientId }: CapabilityStudy) => ({
    tenant: access.tenant,
    studyUid: uid,
    ...(patientId !== undefined && { patient: patientId }),
    ...(access.client !== undefined && { client: access.client }),
    ...(access.user !== undefined && { user: access.user }),
  });

  return {
    async seal(tenant, access, study) {
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

    async sealLink(_tenant, access, study, path) {
      const expires = capabilityExpiry(access, LINK_SECONDS, seconds());
      const id = randomUUID();
      await links.issue(id, expires - seconds());
      const capability: Capability = {
        ...capabilityOf(access, study),
        operations: 'r',
        expires,
        ...(access.token !== undefined && { token: access.token }),
        link: { id, path },
      };
      return { sealed: await sealCapability(capability, keys), expires };
    },

    open: (tenant, sealed) => openCapability(sealed, tenant.key, keys, seconds()),
    links,
  };
}

/**
 * Who may use capabilities; one for the process.
 * @param now milliseconds since the epoch
 */
export function capabilities(
  sealer: CapabilitySealer,
  authorizer: Pick<Authorizer, 'authorize' | 'reach'>,
  now: () => number,
): Capabilities {
  const { links } = sealer;
  const admitted = new WeakMap<IncomingMessage, Capability>();

  /** The caller's token where the capability wants the request to carry it, or the one that is sealed in it. */
  const tokenOf = (tenant: Tenant, request: IncomingMessage, opened: Capability): string | undefined => {
    if (opened.tokenHash === undefined) return opened.token;
    const presented = tenant.authorization.type === 'mock' ? '' : bearerToken(request);
    if (presented === undefined) throw tokenNeeded();
    if (!isTokenOf(opened.tokenHash, presented)) throw noLongerValid();
    return presented === '' ? opened.token : presented;
  };

  /**
   * What the token may see now. Where the EHR says who is in reach, it is asked for the capability's patient, whatever
   * stands in the address. The token was good when it asked, and the patient in reach: it is the capability that ends
   * with them (IA-25).
   */
  const accessOf = async (tenant: Tenant, token: string | undefined, patient: string | undefined) => {
    try {
      const access = await authorizer.authorize(tenant, token);
      const patients = patient === undefined ? [] : [patient];
      return await authorizer.reach(tenant, access, () => ({ patients, studies: [], runs: true }));
    } catch (error) {
      const ended = error instanceof Fault && ['invalid_token', 'forbidden'].includes(error.code);
      throw ended ? noLongerValid() : error;
    }
  };

  return {
    sealLink: sealer.sealLink,

    async admit(tenant, { method, raw, params }) {
      const { capability: sealed = '', studyUid } = params as { capability?: string; studyUid?: string };
      const opened = await sealer.open(tenant, sealed).catch((error: unknown) => {
        throw retrieval(tenant) === 'token' ? notGivenHere() : error;
      });
      const { link } = opened;
      if (!link) requireKind(tenant, opened);
      if (link && method !== 'GET') {
        throw new Fault('method_not_allowed', 'A link is for one GET.', { allow: 'GET' });
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

    linkedStudy(request) {
      const { link, studyUid } = admitted.get(request) ?? {};
      return link && studyUid;
    },

    async giveBack(request) {
      const { link, expires = 0 } = admitted.get(request) ?? {};
      if (link) await links.issue(link.id, expires - now() / 1000);
    },
  };
}

/** How the tenant's images are retrieved; the first image source decides. */
function retrieval(tenant: Tenant) {
  return tenant.images[0]?.retrieve ?? 'token';
}

/** What a tenant no longer gives it no longer takes. */
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

/** What follows the capability in an address, to the letter; undefined where it stands there in another spelling. */
function below(url: string, sealed: string): string | undefined {
  const before = `/wado/${sealed}/`;
  const start = url.indexOf(before);
  return start < 0 ? undefined : url.slice(start + before.length);
}
