import { Fault } from '../../../../schema/fault.ts';

/** What a PACS says by statuses (PS3.7 Annex C, PS3.4 §C.4) and refusals (PS3.8 §9.3.4), as Faults with clear words. */

const service = 'imaging' as const;

/** Something went wrong on the way to the archive; a Fault stays what it is. */
export function archiveFault(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  const late = /time(d )?out/i.test((cause as Error | undefined)?.message ?? '');
  return late
    ? new Fault('gateway_timeout', 'The image archive did not answer in time.', { service, cause })
    : new Fault('bad_gateway', 'The image archive cannot be reached, or broke off.', { service, cause });
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
