import { Fault } from '../../../../schema/fault/fault.ts';

/** An answer of an archive that is not what it should be. */
export function nonsense(cause?: unknown): Fault {
  return new Fault('bad_gateway', 'The image archive gave an answer that makes no sense.', {
    service: 'imaging',
    cause,
  });
}

/** An object that is not what was asked for, or not the patient's (DW-26). */
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
