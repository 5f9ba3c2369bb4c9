import type { FastifyReply } from 'fastify';
import { createHash } from 'node:crypto';
import { setCacheControl } from '../../schema/http/cache-control.ts';

const STYLE = `
  :root { color-scheme: light dark; --ink: #16202a; --paper: #fff; --line: #cfd7e0; --accent: #0a58a5; --soft: #f3f6f9; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #12181e; --line: #37424d; --accent: #7db8f0; --soft: #1b232b; } }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
  h1 { font-size: 1.5rem; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; } a { color: var(--accent); } pre { font: 13px/1.5 ui-monospace, monospace; }
  table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
  pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: .8rem; overflow: auto; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }`;

/** Parts that one page adds. It works without its script. */
export interface PageParts {
  style?: string;
  script?: string;
}

/**
 * Writes a plain HTML page that loads nothing from other servers.
 * @param body HTML
 */
export function htmlPage(title: string, body: string, { style, script }: PageParts = {}): string {
  const own = style === undefined ? '' : `<style>${style}</style>`;
  const last = script === undefined ? '' : `<script>${script}</script>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style>${own}</head><body><main><h1>${title}</h1>${body}</main>${last}</body></html>`;
}

/**
 * Sends the page. Its policy allows only its own styles and script, by their hashes. A script may ask this server only.
 * @param cache `noStore` for a page with a token
 */
export function sendPage(
  reply: FastifyReply,
  html: string,
  { style, script }: PageParts = {},
  cache: 'revalidate' | 'noStore' = 'revalidate',
): FastifyReply {
  const styles = [STYLE, style].filter((text) => text !== undefined);
  const scripts = script === undefined ? '' : `script-src ${hash(script)}; connect-src 'self'; `;
  const policy = `default-src 'none'; style-src ${styles.map(hash).join(' ')}; ${scripts}base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return setCacheControl(reply, cache)
    .header('content-security-policy', policy)
    .type('text/html; charset=utf-8')
    .send(html);
}

export const link = (href: string, text: string) => `<a href="${href}">${text}</a>`;

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
