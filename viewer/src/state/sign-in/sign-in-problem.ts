/** Why nobody is signed in, as the user has to know it. The words for it are in the messages, by `kind`. */
export type SignInProblemKind =
  /** The page was opened by a server that is not in the list. */
  | 'unknown-server'
  /** The page was opened by an address that cannot be that of a server. */
  | 'refused-server'
  /** The site of the page has no server, and the address names none. */
  | 'no-server'
  /** The server does not answer, or does not say how to sign in. */
  | 'unreachable'
  /** The user, or somebody for the user, has not allowed the access. */
  | 'denied'
  /** The server refused the sign-in. */
  | 'refused'
  /** An answer to a sign-in that this tab did not begin. */
  | 'not-begun-here'
  /** The session has ended, and could not be renewed. */
  | 'ended'
  /** Signed out here, but the server did not confirm that the tokens are void. */
  | 'not-revoked';

export class SignInProblem extends Error {
  readonly kind: SignInProblemKind;
  /** Address of the server that it is about, where the user needs it. */
  readonly server: string | undefined;

  /** @param message in English; where the playground shows it, one sentence that says what to do */
  constructor(
    kind: SignInProblemKind,
    message: string,
    { server, cause }: { server?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = 'SignInProblem';
    this.kind = kind;
    this.server = server;
  }
}
