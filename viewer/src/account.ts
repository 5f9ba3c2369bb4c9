import { formatAddress, parseAddress } from './state/browser/address.ts';
import type { Account } from './state/sign-in/account.ts';
import { pageConfiguration } from './state/sign-in/page-configuration.ts';
import { ServerList } from './state/browser/server-list.svelte.ts';
import { Servers } from './state/browser/servers.ts';
import { Session } from './state/sign-in/session.svelte.ts';

/** The session of the server that the address names, as the shell sees it. */
export class PageAccount implements Account {
  readonly session: Session;
  readonly #home: string | undefined;
  readonly servers: ServerList;

  constructor() {
    const folder = new URL('.', window.location.href);
    const { base, tenants, defaultTenant, smart } = pageConfiguration() ?? {};
    this.#home = defaultTenant;
    const servers = new Servers({ gateway: base ?? new URL('..', folder).href, tenants });
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
    return this.session.server?.id ?? this.#address.tenant;
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

  async open(): Promise<void> {
    const { session } = this;
    await session.open(session.servers.byId(this.#address.tenant), this.#query, (before) => {
      const address = parseAddress(new URLSearchParams(before), this.#home);
      const tenant = session.server?.id ?? address.tenant;
      history.replaceState(null, '', `?${formatAddress({ ...address, tenant })}`);
    });
  }

  signIn(): Promise<void> {
    return this.session.signIn(this.#query);
  }

  signOut(): Promise<void> {
    return this.session.signOut(String(new URLSearchParams({ tenant: this.#address.tenant })));
  }

  get #address() {
    return parseAddress(new URL(window.location.href).searchParams, this.#home);
  }

  get #query(): string {
    return String(formatAddress(this.#address));
  }
}
