import { formatAddress, parseAddress } from './state/browser/address.ts';
import { PageAddress } from './state/page-address.ts';
import type { Account } from './state/sign-in/account.ts';
import { pageConfiguration } from './state/sign-in/page-configuration.ts';
import { ServerList } from './state/browser/server-list.svelte.ts';
import { Servers, type EntryFault } from './state/browser/servers.ts';
import { Session } from './state/sign-in/session.svelte.ts';

/** The session of the server that the address names, as the shell sees it. */
export class PageAccount implements Account {
  readonly session: Session;
  readonly #address = new PageAddress();
  readonly servers: ServerList;

  constructor() {
    const folder = new URL('.', window.location.href);
    const { base, tenants, onlyOwn, smart } = pageConfiguration() ?? {};
    const servers = new Servers({ gateway: base ?? new URL('..', folder).href, tenants, onlyOwn });
    const known = smart && servers.byId(smart.tenant);
    this.session = new Session({
      servers,
      redirectUri: folder.href,
      configured: known && { fhirBase: known.fhirBase, smart: smart.configuration },
    });
    this.servers = new ServerList(this.session.servers);
  }

  get phase() {
    return this.session.phase;
  }

  get problem() {
    return this.session.problem;
  }

  get left() {
    return this.session.left;
  }

  get serverId() {
    if (this.session.problem?.kind === 'unknown-server') return '';
    return this.session.server?.id ?? this.#address.read().tenant;
  }

  get patient() {
    return this.session.patient;
  }

  get signInPossible() {
    return this.session.signInPossible;
  }

  get signedIn() {
    return this.session.signedIn;
  }

  get choosesPatient() {
    return this.session.patient === undefined;
  }

  get isClinician() {
    return this.session.isClinician;
  }

  get calls() {
    return this.session.calls;
  }

  get sharing() {
    return this.session.sharing;
  }

  async open(): Promise<void> {
    const { session } = this;
    const server = session.servers.byId(this.#address.read().tenant);
    const isGuess = !pageConfiguration() && !new URL(window.location.href).searchParams.has('tenant');
    await session.open({ server, isGuess, returnTo: this.#returnTo }, (before) => {
      const address = parseAddress(new URLSearchParams(before));
      this.#address.write({ ...address, tenant: session.server?.id ?? address.tenant });
    });
  }

  async trust(): Promise<EntryFault | undefined> {
    const server = this.problem?.server;
    if (server === undefined) return undefined;
    const fault = this.servers.keep({ name: new URL(server).host, fhirBase: server });
    if (fault !== undefined && fault !== 'known-already') return fault;
    await this.open();
    return undefined;
  }

  signIn(): Promise<void> {
    return this.session.signIn(this.#returnTo);
  }

  chooseAnother(): Promise<void> {
    return this.session.chooseAnother(this.#forgetPatient());
  }

  signOut(): Promise<void> {
    return this.session.signOut(this.#forgetPatient());
  }

  /** @returns the query string of the page without a patient */
  #forgetPatient(): string {
    this.#address.forget();
    return String(new URLSearchParams({ tenant: this.#address.read().tenant }));
  }

  /** The query string to come back to, with the patient: it is kept in this tab. */
  get #returnTo(): string {
    const address = this.#address.read();
    const query = formatAddress(address);
    if (address.patient !== undefined) query.set('patient', address.patient);
    return String(query);
  }
}
