import type { FastifyPluginAsync } from 'fastify';
import { parse, print } from 'graphql';
import { readFileSync } from 'node:fs';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { escaped, htmlPage, sendPage } from '../html-page.ts';
import { redirectToCanonicalHost } from '../../http/canonical-host.ts';
import { FIRST_REQUEST } from '../first-request.ts';

const SCRIPT = readFileSync(new URL('./page.js', import.meta.url), 'utf8');

const FIELD =
  '<label for="token">Access token</label><input id="token" autocomplete="off" spellcheck="false">';
const SIGN_IN =
  '<div class="row"><button id="sign-in">Sign in</button>' +
  '<p id="status" role="status">gives you an access token for one patient’s record. Or paste one below.</div>';

/** Ways to get a token: none is needed, by sign-in where the page is a registered app, or pasted into the field. */
const TOKEN_ENTRIES = { none: '<p>No access token is needed here.', app: SIGN_IN + FIELD, field: FIELD };

/** Serves a page to write and run GraphQL requests, at `/{tenant}/playground`. */
export function playground(baseUrl: string): FastifyPluginAsync {
  const html = {
    none: pageWith(TOKEN_ENTRIES.none),
    app: pageWith(TOKEN_ENTRIES.app),
    field: pageWith(TOKEN_ENTRIES.field),
  };
  return async (app) => {
    app.addHook('onRequest', redirectToCanonicalHost(baseUrl));
    app.get('/playground', { config: { open: true, api: 'page' } }, ({ tenant }, reply) =>
      sendPage(reply, html[tokenEntryOf(tenant)], SCRIPT),
    );
  };
}

function tokenEntryOf({ authorization }: Tenant): keyof typeof TOKEN_ENTRIES {
  if (authorization.type === 'mock') return 'none';
  return authorization.clients.some(({ client_id: id }) => id === 'playground') ? 'app' : 'field';
}

const pageWith = (tokenEntry: string) =>
  htmlPage(
    'Playground',
    `${tokenEntry}<div class="columns"><div>
<label for="query">Query</label><textarea id="query" spellcheck="false">${escaped(print(parse(FIRST_REQUEST.query)))}</textarea>
<label for="variables">Variables</label><textarea id="variables" class="short" spellcheck="false">${escaped(JSON.stringify(FIRST_REQUEST.variables))}</textarea>
<p><button id="run">Run</button></div>
<div><h2 id="answer">Answer</h2><pre id="out" role="region" tabindex="0" aria-labelledby="answer" aria-live="polite"></pre></div></div>`,
    SCRIPT,
  );
