import { changedAddress, formatAddress, isNewPage, parseAddress, type Address } from './browser/address.ts';
import { pageConfiguration } from './sign-in/page-configuration.ts';

/** Browsers refuse more than a few changes of the address in a second, and scrolling would make them. */
const WRITE_DELAY_MS = 250;

/** The address of the page. A link, a reload and the browser's Back come to the same picture. */
export class Route {
  address = $state.raw<Address>({ tenant: 'demo' });
  readonly #page: Window;
  #writing: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Window = window) {
    this.#page = page;
    this.read();
    page.addEventListener('popstate', this.#onBack);
  }

  readonly #onBack = () => {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    this.read();
  };

  /** Takes the address as the browser has it, for instance after a sign-in. */
  read(): void {
    const { document, location } = this.#page;
    const home = pageConfiguration(document)?.defaultTenant;
    this.address = parseAddress(new URL(location.href).searchParams, home);
  }

  /** Changes the address. Another tenant, patient, study or screen is a page that Back leaves; all else is not. */
  go(changes: Partial<Address>): void {
    const before = this.address;
    const after = changedAddress(before, changes);
    if (String(formatAddress(after)) === String(formatAddress(before))) return;
    if (isNewPage(before, after)) {
      this.#write();
      this.address = after;
      this.#page.history.pushState(null, '', `?${formatAddress(after)}`);
      return;
    }
    this.address = after;
    this.#writing ??= setTimeout(() => this.#write(), WRITE_DELAY_MS);
  }

  /** Changes the address without a step for Back. */
  replace(changes: Partial<Address>): void {
    this.address = changedAddress(this.address, changes);
    this.#writeNow();
  }

  close(): void {
    this.#write();
    this.#page.removeEventListener('popstate', this.#onBack);
  }

  /** Writes a change that waits. */
  #write(): void {
    if (this.#writing !== undefined) this.#writeNow();
  }

  #writeNow(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    this.#page.history.replaceState(null, '', `?${formatAddress(this.address)}`);
  }
}
