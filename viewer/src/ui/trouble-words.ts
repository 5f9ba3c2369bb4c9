import type { Trouble, TroubleKind } from '../data/trouble.ts';
import { m } from '../messages/compiled/messages.js';

/** The part of the page that did not come. */
export type Subject = 'record' | 'patients' | 'images' | 'document';

const same = (said: () => string): Record<Subject, () => string> => ({
  record: said,
  patients: said,
  images: said,
  document: said,
});

const SAID: Record<TroubleKind, Record<Subject, () => string>> = {
  offline: same(m.troubleOffline),
  'signed-out': same(m.troubleSignedOut),
  refused: {
    record: m.troubleRefusedRecord,
    patients: m.troubleRefusedRecord,
    images: m.troubleRefusedImages,
    document: m.troubleRefusedDocument,
  },
  'not-found': {
    record: m.troubleNotFoundRecord,
    patients: m.troubleNotFoundRecord,
    images: m.troubleNotFoundImages,
    document: m.troubleNotFoundDocument,
  },
  busy: { ...same(m.troubleBusyRecord), images: m.troubleBusyImages, document: m.troubleBusyDocument },
  server: {
    record: m.troubleServerRecord,
    patients: m.troubleServerPatients,
    images: m.troubleServerImages,
    document: m.troubleServerDocument,
  },
  'too-large': same(m.troubleTooLarge),
  damaged: {
    record: m.troubleDamagedRecord,
    patients: m.troubleDamagedRecord,
    images: m.troubleDamagedImages,
    document: m.troubleDamagedDocument,
  },
  undecodable: {
    record: m.troubleDamagedRecord,
    patients: m.troubleDamagedRecord,
    images: m.troubleUndecodable,
    document: m.troubleDamagedDocument,
  },
  memory: same(m.troubleMemory),
  graphics: same(m.troubleGraphics),
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
    case 'too-large':
    case 'memory':
      return 'none';
    default:
      return 'again';
  }
}
