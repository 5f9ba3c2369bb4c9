import { Fault } from '../../../../schema/fault/fault.ts';

/** Returns the fault for an answer of an archive that is not valid. */
export function invalidAnswer(cause?: unknown): Fault {
  return new Fault('bad_gateway', 'The image archive gave an answer that makes no sense.', {
    service: 'imaging',
    cause,
  });
}

/** Returns the fault for another object than requested, or one of another patient (DW-26). */
export function otherObject(): Fault {
  return new Fault(
    'bad_gateway',
    'The image archive sent another object than was asked for: it is not given.',
    {
      service: 'imaging',
      cause: new Error('refused: another object than was asked for'),
    },
  );
}
