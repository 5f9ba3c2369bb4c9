import { AuthorizationResponseError, ResponseBodyError } from 'oauth4webapi';
import { TENANT } from './sign-in.ts';

const ENDED = 'Your sign-in has ended. Sign in again.';

/** Returns what a person can do about an error. */
export function inWords(error: unknown): string {
  if (!isSecureContext) return 'Open this page at localhost or by https: no other page can sign in.';
  // Chromium and Firefox say "fetch", Safari says "Load failed".
  if (error instanceof TypeError && /fetch|load failed/i.test(error.message))
    return `The server does not answer. Is it running at ${TENANT}?`;
  if (error instanceof AuthorizationResponseError) return 'You did not allow access. Sign in to try again.';
  if (error instanceof ResponseBodyError)
    return error.error === 'invalid_grant' ? ENDED : `The sign-in failed. ${error.error_description ?? ''}`;
  const { message, cause } = error as Error;
  if (!(cause instanceof Response)) return message;
  if (cause.status === 401) return ENDED;
  if (cause.status === 403) return `You may not see this. ${message}`;
  return cause.status >= 429 ? `Try again in a minute. ${message}` : message;
}
