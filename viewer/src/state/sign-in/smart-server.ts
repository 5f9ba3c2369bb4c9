/** Reads how to sign in to a server: its SMART configuration (SMART App Launch 2.2 §2.1). */
import { Transport } from '../../data/transport.ts';
import { Trouble } from '../../data/trouble.ts';
import type { SharingRules } from '../../domain/shared-link.ts';
import type { Server } from '../browser/servers.ts';
import { SignInProblem } from './sign-in-problem.ts';

/** The members of a SMART configuration that a launch needs, and one of our gateway. No authorization endpoint: no token is needed. */
export interface SmartServer {
  issuer?: string;
  authorization_endpoint?: string;
  token_endpoint?: string;
  revocation_endpoint?: string;
  capabilities?: readonly string[];
  /** Present where people may share by links. */
  share?: SharingRules;
}

/** A server with what it says of itself. */
export interface Known {
  server: Server;
  smart: SmartServer;
}

/** True if a server says who signs in. */
export function isOpenId({ capabilities }: SmartServer): boolean {
  return capabilities?.includes('sso-openid-connect') === true;
}

/** @throws SignInProblem `refused-server` if an endpoint is no web address, or is not as safe as the server's own */
function safe(smart: SmartServer, fhirBase: string): SmartServer {
  const allowed = ['https:', new URL(fhirBase).protocol];
  const endpoints = [smart.authorization_endpoint, smart.token_endpoint, smart.revocation_endpoint];
  for (const endpoint of endpoints)
    if (endpoint !== undefined && !(URL.canParse(endpoint) && allowed.includes(new URL(endpoint).protocol)))
      throw new SignInProblem('refused-server', 'an unsafe endpoint');
  return smart;
}

/**
 * Reads the server's SMART configuration (§2.1). A server without one that has a CapabilityStatement needs no token.
 * @throws SignInProblem `unreachable`, `refused-server`
 */
export async function smartServer(fhirBase: string): Promise<SmartServer> {
  const transport = new Transport([]);
  const json = (path: string) => transport.json(`${fhirBase}/${path}`, { accept: 'application/json' });
  try {
    return safe(((await json('.well-known/smart-configuration')) ?? {}) as SmartServer, fhirBase);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const isOpen =
      error.kind === 'not-found' &&
      (await json('metadata').then(
        () => true,
        () => false,
      ));
    if (isOpen) return {};
    throw new SignInProblem('unreachable', 'no SMART configuration', { cause: error });
  }
}
