import { Servers } from './state/servers.ts';
import { Session } from './state/session.svelte.ts';

/** The state of the page in its address: tenant, patient and study, so that a link opens the same page; and its session. */
export class Page {
  /** The base URL of the gateway, with a slash at the end; the viewer is served at `{base}app/`. */
  readonly #gateway: string;
  readonly session: Session;
  tenant = $state('demo');
  patient = $state<string>();
  study = $state<string>();

  constructor() {
    const folder = new URL('.', window.location.href);
    this.#gateway = new URL('..', folder).href;
    this.session = new Session({
      servers: new Servers({ gateway: this.#gateway }),
      redirectUri: folder.href,
    });
    this.#read(new URL(window.location.href).searchParams);
    window.addEventListener('popstate', () => this.#read(new URL(window.location.href).searchParams));
  }

  get endpoint(): string {
    return `${this.#gateway}${encodeURIComponent(this.tenant)}/graphql`;
  }

  async open(): Promise<void> {
    const before = await this.session.open(this.session.servers.byId(this.tenant), this.#query().toString());
    if (before !== undefined) this.#read(new URLSearchParams(before));
    const { patient, server } = this.session;
    if (server) this.tenant = server.id;
    if (patient !== undefined && patient !== this.patient) {
      this.patient = patient;
      this.study = undefined;
    }
    if (before !== undefined) history.replaceState(null, '', `?${this.#query()}`);
  }

  signIn(): Promise<void> {
    return this.session.signIn(this.#query().toString());
  }

  signOut(): Promise<void> {
    return this.session.signOut(new URLSearchParams({ tenant: this.tenant }).toString());
  }

  /** Returns the headers of a request for data. */
  async headers(): Promise<Record<string, string>> {
    const token = await this.session.token();
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
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

  #query(): URLSearchParams {
    const query = new URLSearchParams({ tenant: this.tenant });
    if (this.patient) query.set('patient', this.patient);
    if (this.study) query.set('study', this.study);
    return query;
  }

  #read(query: URLSearchParams): void {
    this.tenant = query.get('tenant') ?? 'demo';
    this.patient = query.get('patient') ?? undefined;
    this.study = query.get('study') ?? undefined;
  }
}
