import { createHash } from 'node:crypto';

const STYLE = `
  :root { color-scheme: light dark; --ink: #16202a; --paper: #fff; --line: #cfd7e0; --accent: #0a58a5; --soft: #f3f6f9; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #12181e; --line: #37424d; --accent: #7db8f0; --soft: #1b232b; } }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
  h1 { font-size: 1.5rem; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; } small { display: block; opacity: .75; }
  ul { list-style: none; padding: 0; margin: 0; } .people { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
  button { font: inherit; color: var(--ink); background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem; min-height: 44px; text-align: left; cursor: pointer; }
  .people button { width: 100%; } button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  .primary { background: var(--accent); border-color: var(--accent); color: var(--paper); font-weight: 600; } .actions { display: flex; gap: .75rem; }
  [type=search] { font: inherit; width: auto; height: auto; flex: 1; min-width: 0; margin: 0; padding: .6rem 1rem; min-height: 44px; box-sizing: border-box; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 8px; } .find { display: flex; gap: .75rem; align-items: end; } .find label { flex: 1; display: block; padding: 0; } .find input { display: block; width: 100%; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
  label { display: flex; gap: .75rem; padding: .4rem 0; align-items: start; } input { width: 1.2rem; height: 1.2rem; flex: none; margin: .2rem 0 0; } code { font-size: .85em; overflow-wrap: anywhere; }`;

/** Returns a page of the authorization server, without scripts and external files. @param body HTML */
export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body><main><h1>${escaped(title)}</h1>${body}</main></body></html>`;
}

/** Escapes text for HTML, also for quoted attributes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Isolates text of other parties, so that right-to-left letters in it do not change the text around it. */
export function isolated(text: string): string {
  return `<bdi>${escaped(text)}</bdi>`;
}

/**
 * Returns the headers of a page: they allow only its own style, and no frame (RFC 9700 §4.16).
 * @param redirectUri target of the redirect after the form: browsers apply `form-action` to it too
 */
export function pageHeaders(redirectUri?: string): Record<string, string> {
  const style = createHash('sha256').update(STYLE).digest('base64');
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `${NOTHING}; style-src 'sha256-${style}'; ${formAction(redirectUri)}`,
    'x-frame-options': 'DENY',
    // With `no-referrer` browsers would send `Origin: null` with our own forms.
    'referrer-policy': 'same-origin',
  };
}

/** A policy that allows nothing, in no frame. */
export const NOTHING = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** Returns the `form-action` directive of a page whose form ends at this URL. */
export function formAction(redirectUri?: string): string {
  const target = redirectUri && URL.canParse(redirectUri) ? new URL(redirectUri) : undefined;
  // A custom scheme has no origin.
  const back = target && (target.origin === 'null' ? target.protocol : target.origin);
  return `form-action 'self'${back ? ` ${back}` : ''}`;
}
