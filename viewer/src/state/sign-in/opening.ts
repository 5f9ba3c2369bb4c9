/** Opens the page: an answer of a sign-in, a launch by an EHR, a reload, or a first visit. */
import { parseAddress } from '../browser/address.ts';
import { addressFault, type Server, type Servers } from '../browser/servers.ts';
import { SignInProblem } from './sign-in-problem.ts';
import { isAnswer, needsPage, takePending, type Pending, type TabStorage } from './smart-answer.ts';
import type { Grant, Launch } from './smart-launch.ts';
import { isOpenId, smartServer, type Known, type SmartServer } from './smart-server.ts';

export interface PageOpening {
  address: URL;
  servers: Servers;
  /** The server that the address names by its own means; `iss` and answers come first. */
  server: Server | undefined;
  /** True if neither the address nor the site says which server that is: there may be none. */
  isGuess?: boolean;
  /** The SMART configuration of a server that the page brings along: it need not be asked for. */
  configured?: { fhirBase: string; smart: SmartServer } | undefined;
  redirectUri: string;
  /** The query string to come back to. */
  returnTo: string;
  /** True after the user has signed out, or has left a sign-in by Back: then none begins by itself. */
  waits: boolean;
  storage: TabStorage;
}

export type Opened =
  /** @property returnTo of the page before the sign-in, if there was one */
  | { phase: 'ready'; known: Known; grant: Grant | undefined; returnTo?: string }
  | { phase: 'leaving'; to: URL; isSilent: boolean; returnTo?: string }
  | { phase: 'signed-out'; known?: Known; problem?: SignInProblem; returnTo?: string };

/** Has the launch of an EHR until the page leaves for its sign-in: the user may have to trust its server before. */
const LAUNCH = 'ehr-launch';

interface EhrLaunch {
  /** FHIR base of the EHR (SMART App Launch 2.2 §2.0.7). */
  iss: string;
  launch: string | undefined;
}

/** @throws nothing: a problem is an answer */
export async function openPage(page: PageOpening): Promise<Opened> {
  let pending: Pending | undefined;
  let known: Known | undefined;
  try {
    if (isAnswer(page.address)) {
      pending = takePending(page.address, page.storage);
      const { fhirBase, smart } = pending;
      known = { server: listed(page.servers.byBase(fhirBase), fhirBase), smart };
      return await answered(page, known, pending);
    }
    const asked = launchOf(page);
    known = await knownServer(page, asked ? launchingServer(page, asked) : listed(page.server)).catch(
      (error: unknown) => {
        throw page.isGuess && !asked ? noServer(error) : error;
      },
    );
    const opened = await begun(page, known, asked?.launch);
    page.storage.removeItem(LAUNCH);
    return opened;
  } catch (error) {
    const problem = error instanceof SignInProblem ? error : unreachable(error);
    return {
      phase: 'signed-out',
      problem,
      ...(known && { known }),
      ...(pending && { returnTo: pending.returnTo }),
    };
  }
}

async function knownServer({ configured }: PageOpening, server: Server): Promise<Known> {
  const { fhirBase } = server;
  return {
    server,
    smart: configured?.fhirBase === fhirBase ? configured.smart : await smartServer(fhirBase),
  };
}

/** Returns the launch of the address, or the one that waits in this tab; an address with a tenant ends that. */
function launchOf({ address: { searchParams }, storage }: PageOpening): EhrLaunch | undefined {
  const iss = searchParams.get('iss');
  if (iss !== null) return { iss, launch: searchParams.get('launch') ?? undefined };
  if (searchParams.has('tenant')) storage.removeItem(LAUNCH);
  const kept = storage.getItem(LAUNCH);
  return kept === null ? undefined : (JSON.parse(kept) as EhrLaunch);
}

/**
 * Returns the server of a launch. One that is not in the list is never asked for anything by itself: the launch waits.
 * @throws SignInProblem `unknown-server`, `refused-server`
 */
function launchingServer({ servers, storage }: PageOpening, launch: EhrLaunch): Server {
  const { iss } = launch;
  const server = servers.byBase(iss);
  if (!server && addressFault(iss) !== undefined)
    throw new SignInProblem('refused-server', 'iss is not the address of a server');
  storage.setItem(LAUNCH, JSON.stringify(launch));
  return listed(server, iss);
}

/** @throws SignInProblem `unknown-server` for a server that is not in the list */
function listed(server: Server | undefined, address?: string): Server {
  if (server) return server;
  throw new SignInProblem('unknown-server', 'the server is not in the list', { server: address });
}

function noServer(cause: unknown): SignInProblem {
  return new SignInProblem('no-server', 'the site has no server', { cause });
}

/** A server, or a part of this page, does not come. */
export function unreachable(cause: unknown): SignInProblem {
  return new SignInProblem('unreachable', 'the server does not answer', { cause });
}

async function answered(page: PageOpening, known: Known, pending: Pending): Promise<Opened> {
  const { returnTo, redirectUri } = pending;
  const { server } = known;
  const withPages = async (): Promise<Opened> => ({
    phase: 'leaving',
    to: await leave(known, { redirectUri, returnTo }, page.storage),
    isSilent: false,
    returnTo,
  });
  if (pending.isSilent && needsPage(page.address)) {
    // A server that has answered once will do so again, after the next sign-in.
    rememberSignIn(server, page.storage, signInOf(server, page.storage) === 'silent' ? 'done' : 'asks');
    return withPages();
  }
  const { completeLaunch } = await import('./smart-launch.ts');
  const grant = await completeLaunch(known, page.address, pending);
  // The page must not change to another patient by itself: the user of another tab may have chosen that one.
  if (pending.isSilent && isOtherPatient(grant, returnTo)) return withPages();
  if (pending.isSilent) rememberSignIn(server, page.storage, 'silent');
  else if (!signInOf(server, page.storage)) rememberSignIn(server, page.storage, 'done');
  return { phase: 'ready', known, grant, returnTo };
}

function isOtherPatient({ patient }: Grant, returnTo: string): boolean {
  const before = parseAddress(new URLSearchParams(returnTo)).patient;
  return patient !== undefined && before !== undefined && patient !== before;
}

async function begun(page: PageOpening, known: Known, launch: string | undefined): Promise<Opened> {
  if (known.smart.authorization_endpoint === undefined) return { phase: 'ready', known, grant: undefined };
  if (page.waits) return { phase: 'signed-out', known };
  const { redirectUri, returnTo, storage } = page;
  // `prompt=none` is a part of OpenID Connect. A launch by an EHR is a new context: it may be another patient, so the user sees what is asked for.
  const mayBeSilent = ['done', 'silent'].includes(signInOf(known.server, storage) ?? '');
  const isSilent = launch === undefined && isOpenId(known.smart) && mayBeSilent;
  const to = await leave(known, { redirectUri, returnTo, launch, isSilent }, storage);
  return { phase: 'leaving', to, isSilent };
}

async function leave(known: Known, launch: Launch, storage: TabStorage): Promise<URL> {
  const { beginLaunch } = await import('./smart-launch.ts');
  return beginLaunch(known, launch, storage);
}

/**
 * Facts that this tab keeps about sign-ins at a server: that there was one, one without a page, or that there is none without a page.
 * No token.
 */
type SignIn = 'done' | 'silent' | 'asks';
const signInKey = ({ fhirBase }: Server): string => `signed-in ${fhirBase}`;

function signInOf(server: Server, storage: TabStorage): SignIn | undefined {
  return (storage.getItem(signInKey(server)) as SignIn | null) ?? undefined;
}

function rememberSignIn(server: Server, storage: TabStorage, how: SignIn): void {
  storage.setItem(signInKey(server), how);
}

/** Forgets that there was a sign-in: the next one is not silent. */
export function forgetSignIn(server: Server, storage: TabStorage): void {
  storage.removeItem(signInKey(server));
}
