import { hash } from 'node:crypto';

/** Folder of the answers that the build has prepared; it is missing where no build is. */
export const PREPARED = new URL('./prepared/', import.meta.url);

/**
 * Returns a function that names the answer to an introspection. The name depends on the schema and on what is asked, so
 * that an answer that belongs to another schema is never found.
 */
export function answerNames(sdl: Uint8Array): (form: string) => string {
  const schema = digest(sdl);
  return (form) => digest(schema + form);
}

const digest = (text: Uint8Array | string) => hash('sha256', text, 'hex').slice(0, 32);
