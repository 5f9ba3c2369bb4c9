import { changedAddress, formatAddress, isNewPage, type Address } from './browser/address.ts';
import { PageAddress } from './page-address.ts';

/** Browsers refuse more than a few changes of the address in a second, and scrolling would make them. */
const WRITE_DELAY_MS = 250;

/** The address of the page. A link, a reload and the browser's Back come to the same picture. */
export class Route {
  address = $state.raw<Address>({ tenant: 'demo' });
  readonly #page: Window;
  readonly #written: PageAddress;
  #writing: ReturnType<typeof setTimeout> | undefined;
  /** Closes what is open above the page, with a step of its own. */
  #closeLevel: (() => void) | undefined;

  constructor(page: Window = window) {
    this.#page = page;
    this.#written = new PageAddress(page);
    this.read();
    page.addEventListener('popstate', this.#onBack);
  }

  readonly #onBack = () => {
    this.#endWriting();
    const close = this.#closeLevel;
    if (!close) return this.read();
    // The page below is as it is now, not as it was when the level was opened: images may be playing.
    this.#closeLevel = undefined;
    this.#written.writePlace(this.address);
    close();
  };

  /** Takes the address as the browser has it, for instance after a sign-in. */
  read(): void {
    this.address = this.#written.read();
  }

  /** Changes the address. Another tenant, patient, study or screen is a page that Back leaves; all else is not. */
  go(changes: Partial<Address>): void {
    const before = this.address;
    const after = changedAddress(before, changes);
    const isSame = after.patient === before.patient;
    if (isSame && String(formatAddress(after)) === String(formatAddress(before))) return;
    if (isNewPage(before, after)) {
      this.#write();
      this.address = after;
      // A page that is opened from a level takes its step.
      const how = this.#closeLevel ? 'replaceState' : 'pushState';
      this.#closeLevel = undefined;
      this.#written.write(after, how);
      return;
    }
    this.address = after;
    this.#writing ??= setTimeout(() => this.#write(), WRITE_DELAY_MS);
  }

  /**
   * Opens a level above the page, such as a dialog, that Back closes. The address stays as it is.
   * @returns a function for a level that has ended in another way
   */
  enter(close: () => void): () => void {
    this.#write();
    this.#written.write(this.address, 'pushState');
    this.#closeLevel = close;
    return () => {
      if (this.#closeLevel === close) this.#page.history.back();
    };
  }

  /** Changes the address without a step for Back. */
  replace(changes: Partial<Address>): void {
    this.#endWriting();
    this.address = changedAddress(this.address, changes);
    this.#written.write(this.address);
  }

  close(): void {
    this.#write();
    this.#page.removeEventListener('popstate', this.#onBack);
  }

  /** Writes a change that waits. */
  #write(): void {
    if (this.#writing === undefined) return;
    this.#endWriting();
    this.#written.writePlace(this.address);
  }

  #endWriting(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
  }
}
