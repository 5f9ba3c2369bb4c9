import { Fault } from '../../../../../schema/fault/fault.ts';

/**
 * Converts statuses (PS3.7 Annex C, PS3.4 §C.4) and rejections (PS3.8 §9.3.4) of a PACS to Faults with clear messages.
 */

const service = 'imaging' as const;

/** Seconds until a client may ask an archive that is away again. */
const AWAY_SECONDS = 5;

/** Returns the fault for an archive that violates the protocol. Keeps a Fault. */
export function archiveFault(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  return new Fault('bad_gateway', 'The answer of the image archive is not valid.', { service, cause });
}

/**
 * Returns the fault for an archive that is away, or a connection that was refused, reset or timed out (DW-23).
 * @param cause the error of the socket, or one that describes the event
 */
export function archiveAway(cause: unknown): Fault {
  const message = 'The image archive cannot be reached, or broke off; ask again later.';
  return new Fault('unavailable', message, { service, retryAfter: AWAY_SECONDS, cause });
}

/** Returns the fault for an archive that accepted the association but not the service. */
export function serviceNotOffered(): Fault {
  return new Fault('bad_gateway', 'The image archive does not support this request.', {
    service,
    cause: new Error('the peer does not offer this service'),
  });
}

const TRANSIENT = 2;
const CALLING_AE_NOT_RECOGNIZED = 3;
const CALLED_AE_NOT_RECOGNIZED = 7;

/** Returns the fault for an association that the archive rejected. */
export function rejection({
  result,
  source,
  reason,
}: {
  result: number;
  source?: number;
  reason: number;
}): Fault {
  const cause = new Error(`association rejected: result ${result}, source ${source}, reason ${reason}`);
  if (result === TRANSIENT) {
    return new Fault('unavailable', 'The image archive is busy. Try again later.', {
      service,
      retryAfter: 5,
      cause,
    });
  }
  const why =
    reason === CALLED_AE_NOT_RECOGNIZED
      ? 'it does not go by the application entity title it was called by (images.calledAe)'
      : reason === CALLING_AE_NOT_RECOGNIZED
        ? 'it does not know our application entity title (images.ae)'
        : 'it gave no reason';
  return new Fault('bad_gateway', `The image archive refused the association: ${why}.`, { service, cause });
}

/** Reasons to refuse an object during a retrieval. */
export type RefusedObject = 'unplanned object' | 'object of another patient' | 'two objects under one UID';

/** Returns the fault for a retrieval that is incomplete because an object was refused. */
export function refusedObjectFault(reason: RefusedObject): Fault {
  const cause = new Error(`refused: ${reason}`);
  if (reason === 'unplanned object') {
    const message = 'The image archive sent more than it had a moment before; ask again.';
    return new Fault('unavailable', message, { service, retryAfter: 5, cause });
  }
  const what =
    reason === 'object of another patient'
      ? 'an object of another patient than its list says'
      : 'two different objects under one SOP Instance UID';
  return new Fault('bad_gateway', `The image archive sent ${what}. It is not returned.`, { service, cause });
}

/** Returns the fault for a failed search or retrieval. */
export function failure(status: number, failed: number): Fault {
  const code = status.toString(16).toUpperCase().padStart(4, '0');
  const cause = new Error(`status ${code}, ${failed} sub-operations failed`);
  if (status === 0xa701 || status === 0xa702 || status === 0xa700) {
    return new Fault('unavailable', 'The image archive is out of resources. Try again later.', {
      service,
      retryAfter: 10,
      cause,
    });
  }
  const why =
    status === 0xa801
      ? 'it does not know where to send them: our application entity title (images.ae) is no destination of it'
      : status === 0xfe00
        ? 'it was cancelled'
        : failed > 0 || (status & 0xf000) === 0xb000
          ? 'it could not send all of them'
          : `it answered ${code}`;
  return new Fault('bad_gateway', `The image archive failed: ${why}.`, { service, cause });
}
