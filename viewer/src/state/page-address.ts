/** The address of the page as this tab knows it: with the patient, whom the tab's storage has and the address never. */
import { formatAddress, parseAddress, type Address } from './browser/address.ts';
import { memoryStorage, storageIfAllowed } from './browser/browser-storage.ts';
import { pageConfiguration } from './sign-in/page-configuration.ts';

/** Has the ids of patients, by the names that entries of the tab's history have for them. */
const KEY = 'viewer.patients';

export class PageAddress {
  readonly #page: Window;
  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

  constructor(
    page: Window = window,
    storage: Storage = storageIfAllowed('sessionStorage') ?? memoryStorage(),
  ) {
    this.#page = page;
    this.#storage = storage;
  }

  /** Reads the address. A patient in it, as in links of earlier versions, is read and taken out of it. */
  read(): Address {
    const { document, history, location } = this.#page;
    const url = new URL(location.href);
    const address = parseAddress(url.searchParams, pageConfiguration(document)?.defaultTenant);
    if (url.searchParams.has('patient')) {
      url.searchParams.delete('patient');
      history.replaceState(this.#stateOf(address), '', url);
      return address;
    }
    const name = (history.state as { patient?: string } | null)?.patient;
    const patient = name === undefined ? undefined : this.#patients[name];
    return patient === undefined ? address : { ...address, patient };
  }

  /** Writes the address of a page that Back returns to, or in place of the one before. */
  write(address: Address, how: 'pushState' | 'replaceState' = 'replaceState'): void {
    this.#page.history[how](this.#stateOf(address), '', `?${formatAddress(address)}`);
  }

  /** Writes another place of the same patient: one who has been forgotten stays so. */
  writePlace(address: Address): void {
    this.#page.history.replaceState(this.#page.history.state, '', `?${formatAddress(address)}`);
  }

  /** Forgets the patients of this tab: Back does not find them either. */
  forget(): void {
    this.#storage.removeItem(KEY);
  }

  get #patients(): Record<string, string> {
    return JSON.parse(this.#storage.getItem(KEY) ?? '{}') as Record<string, string>;
  }

  /** Returns the state of an entry: a name that says nothing without the storage. */
  #stateOf({ patient }: Address): { patient: string } | null {
    if (patient === undefined) return null;
    const patients = this.#patients;
    const known = Object.keys(patients).find((name) => patients[name] === patient);
    const name = known ?? crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36);
    if (known === undefined) this.#storage.setItem(KEY, JSON.stringify({ ...patients, [name]: patient }));
    return { patient: name };
  }
}
