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

/** A token is renewed this many seconds before it expires. */
const MARGIN_SECONDS = 20;
/** The query parameter of the page after signing out. */
const SIGNED_OUT = 'signed-out';

/**
 * The state of the page: gateway, tenant, patient and study, which are in the URL so that a link opens the same page;
 * and the token, which is in memory only.
 */
export class Session {
  /** The base URL of the gateway, with a slash at the end; the viewer is served at `{base}app/`. */
  readonly gateway: string;
  tenant = $state('demo');
  patient = $state<string>();
  study = $state<string>();
  /** `opening` until it is known whether a token is needed. */
  phase = $state<'opening' | 'signed-out' | 'ready'>('opening');
  problem = $state<string>();
  /** True after the user has signed out: then no sign-in starts automatically. */
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

  /** True if the server has an authorization endpoint. */
  get signInPossible(): boolean {
    return this.#server.authorization_endpoint !== undefined;
  }

  /** True if the session has a token. */
  get signedIn(): boolean {
    return this.#grant !== undefined;
  }

  /** True if the user can choose another patient; false if the token is for one patient. */
  get choosesPatient(): boolean {
    return this.#grant?.patient === undefined;
  }

  /**
   * Opens the page: finishes a sign-in that the browser returns from, or starts one if a token is needed. After an error
   * or a sign-out it waits for the user.
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
      this.left = address.searchParams.has(SIGNED_OUT);
      const launch = address.searchParams.get('launch') ?? undefined;
      // Replaces the history entry: otherwise the Back button would start another sign-in.
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

  /** Revokes the token and reloads the page, which clears its memory. */
  async signOut(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    this.phase = 'signed-out';
    if (grant) await revoke(this.#server, grant).catch(() => undefined);
    window.location.assign(`?${new URLSearchParams({ tenant: this.tenant, [SIGNED_OUT]: '' })}`);
  }

  /** Returns the headers of a request for data; first renews a token that is about to expire. */
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

  /** A `fetch` that sends the session's token. */
  readonly fetch: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(await this.headers())) headers.set(name, value);
    return fetch(input, { ...init, headers });
  };

  /** Opens a patient or a study and changes the URL; undefined closes it. */
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

  /** Restores the state that the page had before the sign-in. */
  #comeBack(address: URL): Pending {
    // The authorization code must not stay in the browser's history.
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
