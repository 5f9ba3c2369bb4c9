import type { Trouble, TroubleKind } from '../data/trouble.ts';
import { m } from '../messages/compiled/messages.js';

/** What did not come. */
export type Subject = 'record' | 'patients' | 'images';

const SAID: Record<TroubleKind, Record<Subject, () => string>> = {
  offline: { record: m.troubleOffline, patients: m.troubleOffline, images: m.troubleOffline },
  'signed-out': { record: m.troubleSignedOut, patients: m.troubleSignedOut, images: m.troubleSignedOut },
  refused: {
    record: m.troubleRefusedRecord,
    patients: m.troubleRefusedRecord,
    images: m.troubleRefusedImages,
  },
  'not-found': {
    record: m.troubleNotFoundRecord,
    patients: m.troubleNotFoundRecord,
    images: m.troubleNotFoundImages,
  },
  busy: { record: m.troubleBusyRecord, patients: m.troubleBusyRecord, images: m.troubleBusyImages },
  server: { record: m.troubleServerRecord, patients: m.troubleServerPatients, images: m.troubleServerImages },
  damaged: {
    record: m.troubleDamagedRecord,
    patients: m.troubleDamagedRecord,
    images: m.troubleDamagedImages,
  },
  undecodable: {
    record: m.troubleDamagedRecord,
    patients: m.troubleDamagedRecord,
    images: m.troubleUndecodable,
  },
  memory: { record: m.troubleMemory, patients: m.troubleMemory, images: m.troubleMemory },
  graphics: { record: m.troubleGraphics, patients: m.troubleGraphics, images: m.troubleGraphics },
};

/** Says what happened, and whether the data are safe. */
export function troubleWords(trouble: Trouble, subject: Subject): string {
  return SAID[trouble.kind][subject]();
}

export type Remedy = 'again' | 'sign-in' | 'rendered' | 'none';

/** Returns the one thing that helps. */
export function remedyOf(trouble: Trouble): Remedy {
  switch (trouble.kind) {
    case 'signed-out':
      return 'sign-in';
    case 'undecodable':
      return 'rendered';
    case 'refused':
    case 'memory':
      return 'none';
    default:
      return 'again';
  }
}
