import { m } from '../../messages/compiled/messages.js';
import type { EntryFault } from '../../state/browser/servers.ts';

/** Why an entry is not kept, and what to do. */
export const FAULTS: Record<EntryFault, () => string> = {
  'no-name': m.serverNoName,
  'no-address': m.serverNoAddress,
  'not-https': m.serverNotHttps,
  'known-already': m.serverKnownAlready,
  'not-kept': m.serverNotKept,
};
