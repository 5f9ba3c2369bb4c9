import { formatAddress, parseAddress } from './state/address.ts';
import type { Account } from './state/account.ts';
import { pageConfiguration } from './state/page-configuration.ts';
import { Servers } from './state/servers.ts';
import { Session } from './state/session.svelte.ts';

/** The session of the server that the address names, as the shell sees it. */
export class PageAccount implements Account {
  readonly session: Session;
  readonly #home: string | undefined;

  constructor() {
    const folder = new URL('.', window.location.href);
    const { base, tenants, defaultTenant, smart } = pageConfiguration() ?? {};
    this.#home = defaultTenant;
    const servers = new Servers({ gateway: base ?? new URL('..', folder).href, tenants });
    const known = smart && servers.byId(smart.tenant);
    this.session = new Session({
      ...{ servers, redirectUri: folder.href },
      configured: known && { fhirBase: known.fhirBase, smart: smart.configuration },
    });
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
    const { tenant } = this.#address;
    const before = await session.open(session.servers.byId(tenant), this.#query);
    if (before === undefined) return;
    const address = parseAddress(new URLSearchParams(before), this.#home);
    const tenantNow = session.server?.id ?? address.tenant;
    history.replaceState(null, '', `?${formatAddress({ ...address, tenant: tenantNow })}`);
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
