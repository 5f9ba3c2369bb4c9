import { number, text, type Instance } from '../instance.ts';

/** Returns true if an image has colours (PS3.3 §C.7.6.3.1.2): it has no window then. */
export function isColour(instance: Instance): boolean {
  return (number(instance, '00280002') ?? 1) > 1 || text(instance, '00280004') === 'PALETTE COLOR';
}
