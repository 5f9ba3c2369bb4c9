import type { Transport } from '../data/transport.ts';
import { ServerList } from '../state/browser/server-list.svelte.ts';
import { Servers } from '../state/browser/servers.ts';
import type { Account } from '../state/sign-in/account.ts';

/** The person who has opened a link: nobody signs in, and there is one patient. */
export class Receiver implements Account {
  readonly phase = 'ready';
  readonly problem = undefined;
  readonly servers = new ServerList(new Servers({ onlyOwn: true, storage: undefined }));
  readonly serverId = '';
  readonly left = false;
  readonly patient: string;
  readonly signInPossible = false;
  readonly signedIn = false;
  readonly choosesPatient = false;
  readonly isClinician = false;
  readonly sharing = undefined;

  readonly #transport: Transport;

  constructor(patient: string, transport: Transport) {
    this.patient = patient;
    this.#transport = transport;
  }

  get calls() {
    return this.#transport.trace.calls;
  }

  readonly open = () => Promise.resolve();
  readonly signIn = this.open;
  readonly trust = () => Promise.resolve(undefined);
  readonly chooseAnother = this.open;
  readonly signOut = this.open;
}
