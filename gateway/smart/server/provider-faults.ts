import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { CACHE_CONTROL } from '../../../schema/http/cache-control.ts';
import { Fault, faultOauth, toFault } from '../../../schema/fault/fault.ts';
import { helpUrl } from '../../../schema/fault/fault-help.ts';
import { escaped, page, pageHeaders } from './sign-in/page.ts';
import { PATHS } from './endpoints.ts';

/**
 * Answers faults inside the provider. While the state does not answer, nothing is granted, and the client is asked to try
 * again (RFC 6749 §4.1.2.1, §5.2): by a page for a person, by JSON for programs. Every error for a program has an `error_uri`.
 * @param baseUrl public base of the whole server
 * @param onError called for all other errors
 */
export function answerFaults(baseUrl: string, onError: (error: Error) => void) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    try {
      await next();
    } catch (error) {
      if (!(error instanceof Fault)) onError(error as Error);
      ctx.state['fault'] = toFault(error);
    }
    const fault = ctx.state['fault'] as Fault | undefined;
    if (!fault) return nameHelp(ctx, baseUrl);
    ctx.remove('location');
    ctx.set('cache-control', CACHE_CONTROL.noStore);
    ctx.set('retry-after', String(fault.details.retryAfter ?? 1));
    ctx.status = fault.status;
    if (isPage(ctx)) {
      ctx.set(pageHeaders());
      ctx.body = page(
        'Not just now',
        '<p>This service cannot sign anybody in at the moment. Try again in a minute.',
      );
    } else {
      ctx.body = faultOauth(fault);
      nameHelp(ctx, baseUrl);
    }
  };
}

/**
 * Returns the form of the provider's own errors: a page for a person, JSON for programs.
 * @param baseUrl public base of the whole server
 */
export function providerErrors(baseUrl: string): NonNullable<Configuration['renderError']> {
  return (ctx, out) => {
    if (!isPage(ctx)) {
      ctx.body = out;
      return;
    }
    const { error, error_description: description = error } = out;
    const next =
      error === 'invalid_redirect_uri'
        ? redirectMismatch(ctx.oidc.params?.['redirect_uri'])
        : '<p>Go back to the app and start again.';
    const help = `<p>For developers: <a href="${escaped(helpUrl(baseUrl, error))}">${escaped(error)}</a>`;
    ctx.set(pageHeaders());
    ctx.body = page('This did not work', `<p>${escaped(description)}${next}${help}`);
  };
}

/** Names the redirect URI of a request, unless it could be read as a text of ours. */
function redirectMismatch(sent: unknown): string {
  const shown = typeof sent === 'string' && /^[!-~]{1,300}$/.test(sent);
  const which = shown ? `: <code>${escaped(sent)}</code>` : '';
  return `<p>The app sent another address than the registered ones${which}<p>Its developer has to register exactly this address, to the last character.`;
}

/** Adds `error_uri` to an error: in JSON, or in the address to which a browser is sent back. */
function nameHelp({ body, response }: KoaContextWithOIDC, baseUrl: string): void {
  const { error } = (body ?? {}) as { error?: unknown };
  if (typeof error === 'string') Object.assign(body as object, { error_uri: helpUrl(baseUrl, error) });
  const location = response.get('location');
  const [, named] = /[?&]error=(\w+)/.exec(location) ?? [];
  if (named) response.set('location', `${location}&error_uri=${encodeURIComponent(helpUrl(baseUrl, named))}`);
}

/** Returns true when a person's browser asks: only the authorization endpoint is for people. */
function isPage(ctx: Pick<KoaContextWithOIDC, 'path' | 'accepts'>): boolean {
  return !CLIENT_ENDPOINTS.includes(ctx.path) && ctx.accepts('json', 'html') === 'html';
}

const CLIENT_ENDPOINTS: string[] = [PATHS.token, PATHS.introspection, PATHS.revocation, PATHS.jwks];
