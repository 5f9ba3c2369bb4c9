import { z } from 'zod';

/** Characters that are not seen: controls, direction marks, zero-width ones, fillers; spaces other than the common one. */
const UNSEEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * The name of an app as the user is shown it. What cannot be seen, or turns the direction of what follows, could make
 * one name look like another.
 */
export const shownName = z
  .string()
  .regex(/[^ ]/, 'must not be empty')
  .refine(
    (name) => !UNSEEN.test(name),
    'must not have control characters, direction marks or invisible characters',
  );
