import {
  beginLaunch,
  completeLaunch,
  isAnswer,
  refresh,
  revoke,
  smartServer,
  takePending,
  type Grant,
  type Pending,
  type SmartServer,
} from './smart-launch.ts';

/** Seconds before its end at which a token is not used any more. */
const MARGIN_SECONDS = 20;
/** In the address after signing out. */
const LEFT = 'signed-out';

/**
 * Where the page is and by what right: which gateway, tenant, patient and study, kept in the address so that a link
 * opens the same; and the token, kept in memory alone.
 */
export class Session {
  /** Base of the gateway, with a slash at the end; the viewer is served at `{base}app/`. */
  readonly gateway: string;
  tenant = $state('demo');
  patient = $state<string>();
  study = $state<string>();
  /** `opening` until the server has said whether a token is needed. */
  phase = $state<'opening' | 'signed-out' | 'ready'>('opening');
  problem = $state<string>();
  /** Whether the user has just signed out: then nothing begins by itself. */
  left = $state(false);
  #server = $state.raw<SmartServer>({});
  #grant = $state.raw<Grant>();
  #refreshing: Promise<Grant | undefined> | undefined;

  constructor(location: Location = window.location) {
    this.gateway = new URL('..', new URL('.', location.href)).href;
    this.#read(new URL(location.href).searchParams);
    window.addEventListener('popstate', () => this.#read(new URL(window.location.href).searchParams));
  }

  get endpoint(): string {
    return `${this.gateway}${encodeURIComponent(this.tenant)}/graphql`;
  }

  /** Whether the server has said where to sign in. */
  get signInPossible(): boolean {
    return this.#server.authorization_endpoint !== undefined;
  }

  /** Whether there is a token to give back. */
  get signedIn(): boolean {
    return this.#grant !== undefined;
  }

  /** Whether one may look for other patients: not with a token that is bound to one. */
  get choosesPatient(): boolean {
    return this.#grant?.patient === undefined;
  }

  /**
   * Finds out whether a token is needed, takes one that the browser came back with, and goes to get one otherwise. Where
   * that did not work, or the user has signed out, it is the user who begins.
   */
  async open(): Promise<void> {
    this.phase = 'opening';
    this.problem = undefined;
    const address = new URL(window.location.href);
    try {
      const pending = isAnswer(address) ? this.#comeBack(address) : undefined;
      this.#server = await smartServer(this.#fhirBase);
      if (pending) this.#take(await completeLaunch(this.#server, address, pending));
      if (this.#grant || !this.signInPossible) {
        this.phase = 'ready';
        return;
      }
      this.left = address.searchParams.has(LEFT);
      const launch = address.searchParams.get('launch') ?? undefined;
      // In place of this page: one step back leads to where the user came from, not to here and forth again.
      if (!this.left) return window.location.replace(await this.#signInAt(launch));
      this.phase = 'signed-out';
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.phase = 'signed-out';
    }
  }

  /** Sends the browser to the authorization server. */
  async signIn(): Promise<void> {
    window.location.assign(await this.#signInAt());
  }

  /** Gives the token back and leaves the page, and with it everything that it holds in memory. */
  async signOut(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    this.phase = 'signed-out';
    if (grant) await revoke(this.#server, grant).catch(() => undefined);
    window.location.assign(`?${new URLSearchParams({ tenant: this.tenant, [LEFT]: '' })}`);
  }

  /** Headers that go with every request for data; renews a token that is about to end. */
  async headers(): Promise<Record<string, string>> {
    if (!this.#grant) return {};
    if (this.#grant.expires - Date.now() < MARGIN_SECONDS * 1000) {
      this.#refreshing ??= refresh(this.#server, this.#grant).finally(() => (this.#refreshing = undefined));
      this.#grant = await this.#refreshing;
      if (!this.#grant) {
        this.problem = 'Your session has ended. Nothing was lost: sign in to go on where you were.';
        this.phase = 'signed-out';
        return {};
      }
    }
    return { authorization: `Bearer ${this.#grant.token}` };
  }

  /** `fetch` with the session's token. */
  readonly fetch: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(await this.headers())) headers.set(name, value);
    return fetch(input, { ...init, headers });
  };

  /** Opens a patient or a study, with an address of its own; undefined steps back. */
  go(patient: string | undefined, study?: string): void {
    this.patient = patient;
    this.study = study;
    history.pushState(null, '', `?${this.#query()}`);
  }

  #signInAt(launch?: string): Promise<URL> {
    const redirectUri = `${this.gateway}app/`;
    const page = { fhirBase: this.#fhirBase, redirectUri, returnTo: this.#query().toString() };
    return beginLaunch(this.#server, { ...page, ...(launch && { launch }) });
  }

  get #fhirBase(): string {
    return `${this.gateway}${encodeURIComponent(this.tenant)}/fhir`;
  }

  #query(): URLSearchParams {
    const query = new URLSearchParams({ tenant: this.tenant });
    if (this.patient) query.set('patient', this.patient);
    if (this.study) query.set('study', this.study);
    return query;
  }

  /** Where the page was before the browser went to sign in. */
  #comeBack(address: URL): Pending {
    // The code is used once and must not stay in the history.
    history.replaceState(null, '', address.pathname);
    const pending = takePending(address);
    this.#read(new URLSearchParams(pending.returnTo));
    history.replaceState(null, '', `?${this.#query()}`);
    return pending;
  }

  #take(grant: Grant): void {
    this.#grant = grant;
    if (grant.patient === undefined || grant.patient === this.patient) return;
    this.patient = grant.patient;
    this.study = undefined;
    history.replaceState(null, '', `?${this.#query()}`);
  }

  #read(query: URLSearchParams): void {
    this.tenant = query.get('tenant') ?? 'demo';
    this.patient = query.get('patient') ?? undefined;
    this.study = query.get('study') ?? undefined;
  }
}
