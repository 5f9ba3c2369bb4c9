import { AuthorizationResponseError, ResponseBodyError } from 'oauth4webapi';
import { TENANT } from './sign-in.ts';

const ENDED = 'Your sign-in has ended. Sign in again.';

/** Returns what a person can do about an error. */
export function inWords(error: unknown): string {
  if (error instanceof TypeError) return `The server does not answer. Is it running at ${TENANT}?`;
  if (error instanceof AuthorizationResponseError) return 'You did not allow access. Sign in to try again.';
  if (error instanceof ResponseBodyError) {
    if (error.error === 'invalid_grant') return ENDED;
    return `The sign-in failed. ${error.error_description ?? error.error}`;
  }
  const { message, cause } = error as Error;
  if (!(cause instanceof Response)) return message;
  if (cause.status === 401) return ENDED;
  if (cause.status === 403) return `You may not see this. ${message}`;
  return cause.status >= 429 ? `Try again in a minute. ${message}` : message;
}
