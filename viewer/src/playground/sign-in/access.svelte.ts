import { memoryStorage, storageIfAllowed } from '../../state/browser/browser-storage.ts';
import { SignInProblem } from '../../state/sign-in/sign-in-problem.ts';
import { isAnswer, takePending } from '../../state/sign-in/smart-answer.ts';
import type { Grant } from '../../state/sign-in/smart-launch.ts';
import { smartServer, type Known, type SmartServer } from '../../state/sign-in/smart-server.ts';
import { Tokens } from '../../state/sign-in/tokens.ts';
import type { PageFacts } from '../page-facts.ts';
import { keepLastSignIn, lastSignIn, WHY_LOST } from './last-sign-in.ts';
import { pastedGrant } from './pasted-token.ts';
import { ANALYST_SCOPE, scopesFor } from './scopes.ts';

/** The id with which the page is registered. */
const CLIENT_ID = 'playground';

const SIGNED_OUT = 'Your sign-in has ended. Its time may be over, or it was ended in another tab.';
/** Milliseconds before its end in which a token is given up. */
const NEARLY = 30_000;

/** Says what is known of a pasted token that is no longer taken: a server gives no reason. */
function whyRefused({ expires }: Grant): string {
  if (expires - Date.now() < NEARLY) return 'This token is no longer taken: its time is over.';
  return 'The server does not take this token. It may have ended, been withdrawn, be incomplete, or be for another server.';
}

/** Facts about a token that the page may show: never the token. */
export type Granted = Pick<Grant, 'patient' | 'scope'> & {
  isPasted: boolean;
  /** True if the page gets a new token by itself when this one ends. */
  isRenewed: boolean;
};

/** The token of the page: in memory only. */
export class Access {
  /** Undefined without a token. */
  granted = $state.raw<Granted>();
  /** Why there is no token, or a sign-out was not confirmed; undefined if nothing is to be said. */
  problem = $state<string>();
  /** True while a sign-in is finished or begun. */
  isBusy = $state(false);
  readonly #facts: PageFacts;
  readonly #page: string;
  readonly #storage = storageIfAllowed('sessionStorage') ?? memoryStorage();
  #tokens: Tokens | undefined;

  /** @param page address of the page, to which sign-ins come back */
  constructor(facts: PageFacts, page: string) {
    this.#facts = facts;
    this.#page = page;
  }

  /** Milliseconds since the epoch, Infinity if nobody says it; undefined without a token. */
  get expires(): number | undefined {
    return this.#tokens?.expires;
  }

  /** Gives up a token whose time is over and that is not renewed: nobody should learn it by a failed query. */
  endIfOver(now: number): void {
    if (this.granted?.isRenewed === false && this.expires! <= now)
      void this.#tokens?.token().catch(() => undefined);
  }

  /** Finishes a sign-in that the browser comes back from; without one, says if the tab had a token. */
  async open(address: URL): Promise<void> {
    if (!isAnswer(address)) {
      const last = lastSignIn(this.#storage);
      if (last) this.problem = WHY_LOST[last.step];
      return;
    }
    // The code works once, and must not stay in the browser's history.
    history.replaceState(null, '', address.pathname);
    await this.#try(async () => {
      const pending = takePending(address, this.#storage);
      const known = this.#known(pending.smart);
      const { completeLaunch } = await import('../../state/sign-in/smart-launch.ts');
      this.#begin(known, await completeLaunch(known, address, pending), false);
    });
  }

  /** True if the token that was lost came from another program. */
  get wasPasted(): boolean {
    return lastSignIn(this.#storage)?.step === 'pasted';
  }

  /** Leaves the page for the authorization server. @param scope by default that of the last sign-in */
  async signIn(scope = lastSignIn(this.#storage)?.scope ?? scopesFor('patient', [])): Promise<void> {
    await this.#try(async () => {
      const known = this.#known(this.#facts.smart ?? (await smartServer(this.#fhirBase)));
      if (!known.smart.authorization_endpoint)
        throw new SignInProblem('refused', 'This server does not say where one signs in. Paste a token.');
      const { beginLaunch } = await import('../../state/sign-in/smart-launch.ts');
      const launch = { redirectUri: this.#page, returnTo: '', scope };
      const authorization = await beginLaunch(known, launch, this.#storage);
      keepLastSignIn(this.#storage, { step: 'begun', scope });
      const { analyst } = this.#facts;
      if (analyst && scope === ANALYST_SCOPE) authorization.searchParams.set('login_hint', analyst);
      location.assign(authorization);
    });
  }

  /** Takes a token that another program got. */
  paste(text: string): void {
    this.problem = undefined;
    // Who got it renews and revokes it.
    this.#begin(this.#known({}), pastedGrant(text), true);
  }

  /** Forgets the token and revokes it. */
  async signOut(): Promise<void> {
    const tokens = this.#tokens;
    const wasPasted = this.granted?.isPasted;
    this.#tokens = undefined;
    this.granted = undefined;
    this.problem = undefined;
    keepLastSignIn(this.#storage, undefined);
    const isRevoked = await tokens?.end();
    if (isRevoked === false && !wasPasted)
      this.problem =
        'You have signed out here, but the server did not confirm it: its access ends by itself. Close the browser if others use it.';
  }

  /**
   * Sends a request to the tenant with the token, and with a renewed one if the server takes the first no more.
   * @throws Trouble if the session has ended; TypeError if there is no answer
   */
  async fetch(
    url: string,
    request: Omit<RequestInit, 'headers'> & { headers: Record<string, string> },
  ): Promise<Response> {
    const send = (token: string | undefined) =>
      fetch(url, {
        ...request,
        headers: { ...request.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
        credentials: 'same-origin',
        referrerPolicy: 'no-referrer',
      });
    const tokens = this.#tokens;
    const token = await tokens?.token();
    const response = await send(token);
    if (response.status !== 401 || token === undefined || !(await tokens!.renew(token))) return response;
    return send(await tokens!.token());
  }

  get #fhirBase(): string {
    return `${this.#facts.base}/fhir`;
  }

  #known(smart: SmartServer): Known {
    const fhirBase = this.#fhirBase;
    const { tenant: id } = this.#facts;
    return { server: { id, name: id, fhirBase, clientId: CLIENT_ID, isOwn: true }, smart };
  }

  #begin(known: Known, grant: Grant, isPasted: boolean): void {
    const { patient, scope } = grant;
    const isRenewed = grant.refreshToken !== undefined;
    this.granted = { isPasted, isRenewed, ...(patient && { patient }), ...(scope && { scope }) };
    const asked = isPasted ? undefined : lastSignIn(this.#storage)?.scope;
    keepLastSignIn(this.#storage, { step: isPasted ? 'pasted' : 'done', ...(asked && { scope: asked }) });
    this.#tokens = new Tokens(known, grant, () => {
      this.granted = undefined;
      this.problem = `${isPasted ? whyRefused(grant) : SIGNED_OUT} Your query is kept.`;
    });
  }

  async #try(step: () => Promise<void>): Promise<void> {
    this.problem = undefined;
    this.isBusy = true;
    try {
      await step();
    } catch (error) {
      this.problem =
        error instanceof SignInProblem
          ? error.message
          : 'The server does not answer. Your query is kept: try again.';
    } finally {
      this.isBusy = false;
    }
  }
}
