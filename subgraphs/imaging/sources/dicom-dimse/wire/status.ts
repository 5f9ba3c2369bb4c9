import { Fault } from '../../../../../schema/fault/fault.ts';

/** What a PACS says by statuses (PS3.7 Annex C, PS3.4 §C.4) and refusals (PS3.8 §9.3.4), as Faults with clear words. */

const service = 'imaging' as const;

/** Seconds after which an archive that is away is worth asking again. */
const AWAY_SECONDS = 5;

/** An archive that did what no archive should; a Fault stays what it is. */
export function archiveFault(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  return new Fault('bad_gateway', 'The image archive answered what makes no sense.', { service, cause });
}

/**
 * An archive that is away, or a connection to it that ended: refused, reset, timed out (DW-23).
 * @param cause the error of the socket, or one that says what happened
 */
export function archiveAway(cause: unknown): Fault {
  const message = 'The image archive cannot be reached, or broke off; ask again later.';
  return new Fault('unavailable', message, { service, retryAfter: AWAY_SECONDS, cause });
}

/** An archive that accepted the association and not the service that was asked for. */
export function serviceNotOffered(): Fault {
  return new Fault('bad_gateway', 'The image archive does not offer what was asked of it.', {
    service,
    cause: new Error('the peer does not offer this service'),
  });
}

const TRANSIENT = 2;
const CALLING_AE_NOT_RECOGNIZED = 3;
const CALLED_AE_NOT_RECOGNIZED = 7;

/** An association that the archive refused. */
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
    return new Fault('unavailable', 'The image archive is busy.', { service, retryAfter: 5, cause });
  }
  const why =
    reason === CALLED_AE_NOT_RECOGNIZED
      ? 'it does not go by the application entity title it was called by (images.calledAe)'
      : reason === CALLING_AE_NOT_RECOGNIZED
        ? 'it does not know our application entity title (images.ae)'
        : 'it gave no reason';
  return new Fault('bad_gateway', `The image archive refused the association: ${why}.`, { service, cause });
}

/** Reasons to refuse an object that comes while a retrieval is under way. */
export type RefusedObject = 'unplanned object' | 'object of another patient' | 'two objects under one UID';

/** The failure of a retrieval that is not whole because we refused some of what came. */
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
  return new Fault('bad_gateway', `The image archive sent ${what}: it is not given.`, { service, cause });
}

/** A search or a retrieval that did not end well. */
export function failure(status: number, failed: number): Fault {
  const code = status.toString(16).toUpperCase().padStart(4, '0');
  const cause = new Error(`status ${code}, ${failed} sub-operations failed`);
  if (status === 0xa701 || status === 0xa702 || status === 0xa700) {
    return new Fault('unavailable', 'The image archive is out of resources.', {
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
