/** Reads how to sign in to a server: its SMART configuration (SMART App Launch 2.2 §2.1). */
import { Transport } from '../../data/transport.ts';
import { Trouble } from '../../data/trouble.ts';
import type { Server } from '../browser/servers.ts';
import { SignInProblem } from './sign-in-problem.ts';

/** The members of a SMART configuration that a launch needs. No authorization endpoint: no token is needed. */
export interface SmartServer {
  issuer?: string;
  authorization_endpoint?: string;
  token_endpoint?: string;
  revocation_endpoint?: string;
  capabilities?: readonly string[];
}

/** A server with what it says of itself. */
export interface Known {
  server: Server;
  smart: SmartServer;
}

/**
 * Reads the server's SMART configuration (§2.1). A server without one that has a CapabilityStatement needs no token.
 * @throws SignInProblem `unreachable`
 */
export async function smartServer(fhirBase: string): Promise<SmartServer> {
  const transport = new Transport([]);
  const json = (path: string) => transport.json(`${fhirBase}/${path}`, { accept: 'application/json' });
  try {
    return ((await json('.well-known/smart-configuration')) ?? {}) as SmartServer;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const isOpen =
      error.kind === 'not-found' &&
      (await json('metadata').then(
        () => true,
        () => false,
      ));
    if (isOpen) return {};
    const message = 'The server did not say how to sign in. Check its address, or try again later.';
    throw new SignInProblem('unreachable', message, { cause: error });
  }
}
