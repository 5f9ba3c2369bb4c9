/** Opens the page: an answer of a sign-in, a launch by an EHR, a reload, or a first visit. */
import { parseAddress } from '../browser/address.ts';
import type { Server, Servers } from '../browser/servers.ts';
import { SignInProblem } from './sign-in-problem.ts';
import { isAnswer, needsPage, takePending, type Pending, type TabStorage } from './smart-answer.ts';
import type { Grant, Launch } from './smart-launch.ts';
import { smartServer, type Known, type SmartServer } from './smart-server.ts';

export interface PageOpening {
  address: URL;
  servers: Servers;
  /** The server that the address names by its own means; `iss` and answers come first. */
  server: Server | undefined;
  /** The SMART configuration of a server that the page brings along: it need not be asked for. */
  configured?: { fhirBase: string; smart: SmartServer } | undefined;
  redirectUri: string;
  /** The query string to come back to. */
  returnTo: string;
  /** True after the user has signed out: then no sign-in begins by itself. */
  hasLeft: boolean;
  storage: TabStorage;
}

export type Opened =
  /** @property returnTo of the page before the sign-in, if there was one */
  | { phase: 'ready'; known: Known; grant: Grant | undefined; returnTo?: string }
  | { phase: 'leaving'; to: URL }
  | { phase: 'signed-out'; known?: Known; problem?: SignInProblem; returnTo?: string };

const UNKNOWN =
  'This page was opened by a server that is not in its list. If you trust that server, add it in the settings, and open the page from there again.';

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
    const iss = page.address.searchParams.get('iss');
    const server = iss === null ? listed(page.server) : listed(page.servers.byBase(iss), iss);
    known = await knownServer(page, server);
    return await begun(page, known, page.address.searchParams.get('launch') ?? undefined);
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

/** @throws SignInProblem `unknown-server` for a server that is not in the list */
function listed(server: Server | undefined, address?: string): Server {
  if (server) return server;
  throw new SignInProblem('unknown-server', UNKNOWN, address === undefined ? {} : { server: address });
}

/** The text for a server, or a part of this page, that does not come. */
export function unreachable(cause: unknown): SignInProblem {
  return new SignInProblem('unreachable', 'The server does not answer. Nothing was lost: try again.', {
    cause,
  });
}

async function answered(page: PageOpening, known: Known, pending: Pending): Promise<Opened> {
  const { returnTo, redirectUri } = pending;
  const { server } = known;
  const withPages = async (): Promise<Opened> => ({
    phase: 'leaving',
    to: await leave(known, { redirectUri, returnTo }, page.storage),
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
  if (page.hasLeft) return { phase: 'signed-out', known };
  const { redirectUri, returnTo, storage } = page;
  // A launch by an EHR is a new context: it may be another patient, so the user sees what is asked for.
  const mayBeSilent = ['done', 'silent'].includes(signInOf(known.server, storage) ?? '');
  const isSilent = launch === undefined && isOpenId(known) && mayBeSilent;
  return { phase: 'leaving', to: await leave(known, { redirectUri, returnTo, launch, isSilent }, storage) };
}

async function leave(known: Known, launch: Launch, storage: TabStorage): Promise<URL> {
  const { beginLaunch } = await import('./smart-launch.ts');
  return beginLaunch(known, launch, storage);
}

/** `prompt=none` is a part of OpenID Connect. */
function isOpenId({ smart }: Known): boolean {
  return smart.capabilities?.includes('sso-openid-connect') === true;
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
