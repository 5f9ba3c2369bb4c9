/** Reasons of an authorization server for a refusal, for the operator. */

/** An answer of an authorization server. */
export interface RefusedAnswer {
  status: number;
  headers: Pick<Headers, 'get'>;
  /** The body, if it is JSON. */
  json: unknown;
}

/** When a request was sent and answered, in milliseconds of our clock. */
export interface Exchange {
  asked: number;
  answered: number;
}

/** Milliseconds of a difference that has another reason than a wrong clock. */
const TOLERANCE = 10_000;
const LONGEST_DESCRIPTION = 200;
/** Shortest value that may be a token: a description has words. */
const TOKEN = /[^\s"',;:()]{40,}/g;

/**
 * Returns the seconds by which the clock of a server differs from ours (RFC 9110 §6.6.1), positive if it is ahead; 0 up to
 * ten seconds, undefined when it does not say. A cache repeats the `Date` of an answer, and adds its `Age`.
 */
export function clockDifference(
  headers: Pick<Headers, 'get'>,
  { asked, answered }: Exchange,
): number | undefined {
  const theirs = Date.parse(headers.get('date') ?? '') + 1000 * Number(headers.get('age') ?? 0);
  if (Number.isNaN(theirs)) return undefined;
  // `Date` has whole seconds.
  const difference = Math.max(0, theirs - answered) + Math.min(0, theirs + 1000 - asked);
  return Math.abs(difference) > TOLERANCE ? Math.round(difference / 1000) : 0;
}

/** Writes a difference of clocks as `600 s behind ours`. */
export const clockText = (seconds: number): string =>
  `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} ours`;

/**
 * Describes a refusal (RFC 6749 §5.2): `400 invalid_client (the assertion is too old); its clock is 600 s ahead of ours`.
 * The description of the server is shortened, and has none of our secrets.
 * @param secrets values that we sent, which the server may quote
 */
export function refusalReason(answer: RefusedAnswer, exchange: Exchange, secrets: readonly string[]): string {
  const { status, headers, json } = answer;
  const { error, error_description: text } = (json ?? {}) as Record<string, unknown>;
  const code = typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? ` ${error}` : '';
  const description = typeof text === 'string' ? ` (${withoutSecrets(text, secrets)})` : '';
  const seconds = clockDifference(headers, exchange);
  return `${status}${code}${description}${seconds ? `; its clock is ${clockText(seconds)}` : ''}`;
}

/** Keeps the characters that a description may have (RFC 6749 §5.2). */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  const cleaned = secrets
    .filter(Boolean)
    .reduce((left, secret) => left.replaceAll(secret, '[…]'), text)
    .replace(TOKEN, '[…]')
    .replace(/[^\x20-\x7e…]+/g, ' ')
    .trim();
  return cleaned.length > LONGEST_DESCRIPTION ? `${cleaned.slice(0, LONGEST_DESCRIPTION)}…` : cleaned;
}

/** Returns the secrets of a form and of its headers (RFC 6749 §2.3.1). */
export function secretsOf(form: URLSearchParams, authorization: string | null | undefined): string[] {
  const basic = /^Basic (.+)$/i.exec(authorization ?? '')?.[1];
  const password =
    basic === undefined
      ? ''
      : Buffer.from(basic, 'base64')
          .toString()
          .replace(/^[^:]*:/, '');
  const names = ['client_secret', 'client_assertion', 'token'];
  const ofHeader = [basic ?? '', password, /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''];
  return [...names.map((name) => form.get(name) ?? ''), ...ofHeader, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
