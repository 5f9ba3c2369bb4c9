import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { parse, print } from 'graphql';
import { createHash } from 'node:crypto';
import { READY_MADE } from './ready-made.ts';
import type { Tenants } from './tenants.ts';

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #16202a; }
  a { color: #0a58a5; } code, pre, textarea { font: 13px/1.5 ui-monospace, monospace; }
  table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #dde3ea; }
  pre, textarea { background: #f5f7fa; border: 1px solid #dde3ea; border-radius: 6px; padding: .8rem; width: 100%; box-sizing: border-box; overflow: auto; }
  textarea { min-height: 20rem; } textarea.short { min-height: 3rem; } button { font: inherit; padding: .4rem 1.2rem; }`;

const PLAYGROUND = `
  const [query, variables, token, run, out] = ['query', 'variables', 'token', 'run', 'out'].map((id) => document.getElementById(id));
  run.onclick = async () => {
    out.textContent = '…';
    const headers = { 'content-type': 'application/json' };
    if (token.value) headers.authorization = 'Bearer ' + token.value.trim();
    try {
      const answer = await fetch('graphql', { method: 'POST', headers, body: JSON.stringify({ query: query.value, variables: JSON.parse(variables.value || '{}') }) });
      out.textContent = answer.status + '\\n' + JSON.stringify(await answer.json(), null, 2);
    } catch (error) { out.textContent = String(error); }
  };`;

/** What is where, at `/`. */
export function startPage(tenants: Tenants): FastifyPluginAsync {
  const rows = tenants.all.map(({ key, authorization, images, clinical }) => {
    const links = [
      link(`/${key}/playground`, 'playground'),
      link(`/${key}/fhir/metadata`, 'metadata'),
      link(`/${key}/fhir/.well-known/smart-configuration`, 'smart-configuration'),
    ].join(' · ');
    const sources = images.map(({ type }) => type).join(', ');
    return `<tr><td><b>${key}</b><td>${authorization.type}<td>${clinical.type}<td>${sources}<td>${links}`;
  });
  const html = page(
    'SMART Imaging Gateway',
    `<p>One SMART on FHIR token, one request: a patient’s record and a patient’s images.
     <p>${link('/app/', 'Viewer')} · ${link('/schema.graphql', 'GraphQL schema')} · ${link('/health/ready', 'Health')} · ${link('/metrics', 'Metrics')}
     <h2>Tenants</h2><table><tr><th>Tenant<th>Authorization<th>Records<th>Images<th></tr>${rows.join('')}</table>
     <h2>Below each tenant</h2><pre>/{tenant}/graphql
/{tenant}/fhir/{Type}   /{tenant}/fhir/ImagingStudy   /{tenant}/fhir/$graphql
/{tenant}/dicomweb/studies</pre>`,
  );
  return async (app) => {
    app.get('/', (_request, reply) => send(reply, html));
  };
}

/** A plain page to write and run a request with; nothing comes from elsewhere. */
export function playground(): FastifyPluginAsync {
  const html = page(
    'Playground',
    `<p><label>Access token (none is needed for a mock tenant) <input id="token" size="60" autocomplete="off"></label>
     <p><textarea id="query" spellcheck="false">${escaped(print(parse(READY_MADE.query)))}</textarea>
     <p><textarea id="variables" class="short" spellcheck="false">${escaped(JSON.stringify(READY_MADE.variables))}</textarea>
     <p><button id="run">Run</button><pre id="out"></pre>`,
    PLAYGROUND,
  );
  return async (app) => {
    app.get('/playground', { config: { open: true } }, (_request, reply) => send(reply, html, PLAYGROUND));
  };
}

function page(title: string, body: string, script?: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style><h1>${title}</h1>${body}${script ? `<script>${script}</script>` : ''}`;
}

/** The page's own script and style are named by hash: nothing else runs in it. */
function send(reply: FastifyReply, html: string, script?: string): FastifyReply {
  const policy = `default-src 'none'; connect-src 'self'; style-src ${hash(STYLE)}; script-src ${script ? hash(script) : "'none'"}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return reply
    .header('content-security-policy', policy)
    .header('cache-control', 'no-cache')
    .type('text/html; charset=utf-8')
    .send(html);
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const link = (href: string, text: string) => `<a href="${href}">${text}</a>`;
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
