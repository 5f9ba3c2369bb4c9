import { z } from 'zod';

/** Invisible characters: controls, direction marks, zero-width characters, fillers; spaces other than the common one. */
const UNSEEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * The name of an app that is shown to the user. Invisible characters and direction marks could make one name look like
 * another.
 */
export const shownName = z
  .string()
  .regex(/[^ ]/, 'must not be empty')
  .refine(
    (name) => !UNSEEN.test(name),
    'must not have control characters, direction marks or invisible characters',
  );
