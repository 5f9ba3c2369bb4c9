import { Trouble } from '../../data/trouble.ts';

/** Returns an error as the trouble that it is; anything unforeseen is the server's. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  return new Trouble('server', error instanceof Error ? error.message : String(error), { cause: error });
}
