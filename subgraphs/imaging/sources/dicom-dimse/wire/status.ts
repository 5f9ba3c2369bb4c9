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

/** Returns the fault for an archive that is silent for too long. */
export function archiveLate(cause: unknown): Fault {
  return archiveAway(Object.assign(new Error('silent', { cause }), { code: 'ETIMEDOUT' }));
}

/** Returns the fault for an archive that accepted the association but not the service. @param name for the operator */
export function serviceNotOffered(name = 'this service'): Fault {
  return new Fault('bad_gateway', 'The image archive does not support this request.', {
    service,
    cause: new Error(`the peer does not offer ${name} to us`),
  });
}

const TRANSIENT = 2;
const CALLING_AE_NOT_RECOGNIZED = 3;
const CALLED_AE_NOT_RECOGNIZED = 7;

/** The application entity titles of an association that the gateway requests: ours, and that of the archive. */
export interface Titles {
  calling: string;
  called: string;
}

/** Returns the fault for an association that the archive rejected. Its cause has the titles, for the operator. */
export function rejection(
  { result, source, reason }: { result: number; source?: number; reason: number },
  { calling, called }: Titles,
): Fault {
  const hint =
    reason === CALLED_AE_NOT_RECOGNIZED
      ? `it does not go by ${called} (images.calledAe), or does not know ${calling} (images.ae): some answer the same to both`
      : reason === CALLING_AE_NOT_RECOGNIZED
        ? `it does not know ${calling} (images.ae); add this title, with our address, to its list of peers`
        : `it may not know ${calling} (images.ae)`;
  const cause = new Error(
    `association rejected: result ${result}, source ${source}, reason ${reason}: ${hint}`,
  );
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

/**
 * Returns the fault for an archive that ends an association before it answers anything. Orthanc, among others, treats a title
 * that it does not know in this way.
 */
export function endedAtOnce(what: string, { calling }: Titles, speaksTls: boolean): Fault {
  const tls = speaksTls ? '' : ', or speak TLS only (images.tls)';
  return archiveAway(
    new Error(`${what} before the first answer: it may not know ${calling} (images.ae)${tls}`),
  );
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

const MOVE_DESTINATION_UNKNOWN = 0xa801;

/** The status with which a service ended; the text is for the operator. */
export class StatusError extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }

  get isUnknownDestination(): boolean {
    return this.status === MOVE_DESTINATION_UNKNOWN;
  }
}

/**
 * Returns the fault for a failed search or retrieval.
 * @param destination of a C-MOVE, if it was one
 */
export function failure(status: number, failed: number, destination?: string): Fault {
  const code = status.toString(16).toUpperCase().padStart(4, '0');
  const hint = destination === undefined ? '' : destinationHint(status, failed, destination);
  const cause = new StatusError(status, `status ${code}, ${failed} sub-operations failed${hint}`);
  if (status === 0xa701 || status === 0xa702 || status === 0xa700) {
    return new Fault('unavailable', 'The image archive is out of resources. Try again later.', {
      service,
      retryAfter: 10,
      cause,
    });
  }
  const why =
    status === MOVE_DESTINATION_UNKNOWN
      ? 'it does not know where to send them: our application entity title (images.ae) is no destination of it'
      : status === 0xfe00
        ? 'it was cancelled'
        : failed > 0 || (status & 0xf000) === 0xb000
          ? 'it could not send all of them'
          : 'it gave only a status; ask the operator of this server, whose log has it';
  return new Fault('bad_gateway', `The image archive failed: ${why}.`, { service, cause });
}

/** Says what a status of C-MOVE means for its destination (PS3.4 §C.4.2.1.5). Many archives answer Cxxx to an unknown one. */
function destinationHint(status: number, failed: number, destination: string): string {
  const us = `${destination} (images.ae)`;
  if (status === MOVE_DESTINATION_UNKNOWN)
    return `: it does not know ${us} as a destination of C-MOVE; add this title there, with our address and DIMSE_PORT`;
  if ((status & 0xf000) === 0xc000)
    return `: it may not know ${us} as a destination of C-MOVE, or not reach it at our address and DIMSE_PORT`;
  return failed > 0 ? `: it may not reach ${us} at our address and DIMSE_PORT` : '';
}
