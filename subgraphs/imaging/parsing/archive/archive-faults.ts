import { Fault } from '../../../../schema/fault/fault.ts';

/** Returns the fault for an answer of an archive that is not valid. */
export function invalidAnswer(cause?: unknown): Fault {
  return new Fault('bad_gateway', 'The answer of the image archive is not valid.', {
    service: 'imaging',
    cause,
  });
}

/** Returns the fault for another object than requested, or one of another patient (DW-26). */
export function otherObject(): Fault {
  return new Fault(
    'bad_gateway',
    'The image archive sent another object than the requested one. It is not returned.',
    { service: 'imaging', cause: new Error('refused: another object than was asked for') },
  );
}
