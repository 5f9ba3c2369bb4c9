import { basesOf, imagesOf, sourcesOf, type ServerAddress } from '../../data/sources.ts';
import type { ImageSource, RecordSource } from '../../data/source.ts';
import type { SharingRules } from '../../domain/shared-link.ts';
import type { ImageLocation } from '../../domain/study.ts';
import type { Call } from '../../data/trace.ts';
import { Transport } from '../../data/transport.ts';
import { memoryStorage, storageIfAllowed } from '../browser/browser-storage.ts';
import { forgetSignIn, openPage, unreachable, type PageOpening } from './opening.ts';
import type { Server, Servers } from '../browser/servers.ts';
import { SignInProblem } from './sign-in-problem.ts';
import { forgetPending, isAnswer } from './smart-answer.ts';
import type { Grant } from './smart-launch.ts';
import type { Known, SmartServer } from './smart-server.ts';
import { Tokens } from './tokens.ts';
import { beginAnewIfKept, goBackWith, isUnanswered, leaveFor, takeAnswer } from './way-back.ts';

/** The query parameter of the page after signing out: `not-revoked` if the server has not confirmed it. */
const SIGNED_OUT = 'signed-out';

export interface SessionOptions {
  servers: Servers;
  /** The address to which sign-ins come back: the page without its query. */
  redirectUri: string;
  /** The SMART configuration of a server that the page brings along. */
  configured?: { fhirBase: string; smart: SmartServer } | undefined;
}

/** The signed-in user and server, and the sources of data. Tokens are in memory only. */
export class Session {
  readonly servers: Servers;
  /** `opening` until it is known whether a token is needed. */
  phase = $state<'opening' | 'signed-out' | 'ready'>('opening');
  problem = $state.raw<SignInProblem>();
  /** True after the user has signed out: then no sign-in starts automatically. */
  left = $state(false);
  #known = $state.raw<Known>();
  #grant = $state.raw<Grant>();
  #tokens: Tokens | undefined;
  #data: ReturnType<typeof sourcesOf> | undefined;
  #transport: Transport | undefined;
  readonly #redirectUri: string;
  readonly #configured: SessionOptions['configured'];
  readonly #storage = storageIfAllowed('sessionStorage') ?? memoryStorage();

  constructor({ servers, redirectUri, configured }: SessionOptions) {
    this.servers = servers;
    this.#redirectUri = redirectUri;
    this.#configured = configured;
  }

  /** The server; undefined if the page names none that is known. */
  get server(): Server | undefined {
    return this.#known?.server;
  }

  /** True if the server has an authorization endpoint. */
  get signInPossible(): boolean {
    return this.#known?.smart.authorization_endpoint !== undefined;
  }

  get signedIn(): boolean {
    return this.#grant !== undefined;
  }

  /** The patient for whom the token is; undefined if the user chooses one. */
  get patient(): string | undefined {
    return this.#grant?.patient;
  }

  /** True if the token says that the user is a clinician. */
  get isClinician(): boolean {
    return /(^|\/)Practitioner(Role)?\//.test(this.#grant?.fhirUser ?? '');
  }

  /** The last requests for data, oldest first. */
  get calls(): readonly Readonly<Call>[] {
    return this.#transport?.trace.calls ?? [];
  }

  get sharing(): SharingRules | undefined {
    return this.server?.isOwn ? this.#known?.smart.share : undefined;
  }

  get records(): RecordSource {
    return this.#ready.records;
  }

  get images(): ImageSource {
    return this.#ready.images;
  }

  /** The server of its images; undefined where only the records name it. */
  get imageLocation(): ImageLocation | undefined {
    const { server } = this;
    return server && imagesOf({ fhirBase: server.fhirBase, hasGraph: server.isOwn });
  }

  /**
   * Opens the page: finishes a sign-in that the browser returns from, or starts one if a token is needed. After an error or a
   * sign-out it waits for the user.
   * @param restore called with the query string that the page had before the sign-in, before anything is shown
   */
  async open(
    asked: Pick<PageOpening, 'server' | 'isGuess' | 'returnTo'>,
    restore: (query: string) => void,
  ): Promise<void> {
    const address = takeAnswer(this.#storage);
    const signedOut = address.searchParams.get(SIGNED_OUT);
    this.phase = 'opening';
    this.problem = undefined;
    this.left = signedOut !== null;
    // The authorization code and the launch id must not stay in the browser's history.
    if (/[?&](state|launch)=/.test(window.location.search)) history.replaceState(null, '', address.pathname);
    if (isAnswer(address) && goBackWith(address, this.#storage)) return;
    const opened = await openPage({
      ...asked,
      address,
      servers: this.servers,
      storage: this.#storage,
      redirectUri: this.#redirectUri,
      waits: this.left || isUnanswered(),
      configured: this.#configured,
    });
    if (opened.phase === 'leaving') {
      if (opened.returnTo !== undefined) restore(opened.returnTo);
      leaveFor(opened.to, opened.isSilent, this.#storage);
      return;
    }
    this.#known = opened.known;
    if (opened.phase === 'ready') this.#begin(opened.known, opened.grant);
    else if (opened.problem) this.problem = opened.problem;
    else if (signedOut === 'not-revoked')
      this.problem = new SignInProblem('not-revoked', 'the server did not confirm the sign-out');
    if (opened.returnTo !== undefined) restore(opened.returnTo);
    this.phase = opened.phase;
  }

  /**
   * Sends the browser to the authorization server.
   * @param returnTo the query string to come back to
   * @param idToken of the user, who need not sign in again
   */
  async signIn(returnTo: string, idToken?: string): Promise<void> {
    const launch = { redirectUri: this.#redirectUri, returnTo, idToken };
    try {
      const { beginLaunch } = await import('./smart-launch.ts');
      leaveFor(await beginLaunch(this.#known!, launch, this.#storage), false, this.#storage);
    } catch (error) {
      this.problem = unreachable(error);
      this.phase = 'signed-out';
    }
  }

  /** Ends the access to this patient, and lets the user choose another one. @param returnTo as for `signIn` */
  async chooseAnother(returnTo: string): Promise<void> {
    // Other servers know by their own session who the user is.
    const idToken = this.server?.isOwn ? this.#grant?.idToken : undefined;
    this.#grant = undefined;
    this.phase = 'opening';
    forgetPending(this.#storage);
    await this.#tokens?.end();
    await this.signIn(returnTo, idToken);
  }

  /** Revokes the tokens and reloads the page, which clears its memory. @param returnTo the query string of the page then */
  async signOut(returnTo: string): Promise<void> {
    this.#grant = undefined;
    this.phase = 'signed-out';
    forgetPending(this.#storage);
    if (this.server) forgetSignIn(this.server, this.#storage);
    const isRevoked = (await this.#tokens?.end()) ?? true;
    const query = new URLSearchParams(returnTo);
    query.set(SIGNED_OUT, isRevoked ? '' : 'not-revoked');
    beginAnewIfKept();
    window.location.assign(`?${query}`);
  }

  #begin(known: Known, grant: Grant | undefined): void {
    this.#tokens = new Tokens(known, grant, () => {
      this.#grant = undefined;
      this.problem = new SignInProblem('ended', 'the session has ended');
      this.phase = 'signed-out';
    });
    const { fhirBase, isOwn } = known.server;
    const address: ServerAddress = { fhirBase, hasGraph: isOwn };
    this.#transport = new Transport(basesOf(address), { credentials: this.#tokens });
    this.#data = sourcesOf(address, this.#transport);
    this.#grant = grant;
  }

  get #ready() {
    if (!this.#data) throw new Error('The session is not ready.');
    return this.#data;
  }
}
