import type { FastifyPluginAsync } from 'fastify';
import { parse, print } from 'graphql';
import { readFileSync } from 'node:fs';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { escaped, htmlPage, sendPage } from '../html-page.ts';
import { underCanonicalHost } from '../../http/canonical-host.ts';
import { READY_MADE } from '../ready-made.ts';

const SCRIPT = readFileSync(new URL('./page.js', import.meta.url), 'utf8');

const FIELD =
  '<label for="token">Access token</label><input id="token" autocomplete="off" spellcheck="false">';
const SIGN_IN =
  '<div class="row"><button id="sign-in">Sign in</button>' +
  '<p id="said" role="status">brings an access token for one patient’s record. Or put one in yourself.</div>';

/** How one comes to a token here: by nothing, by signing in where the page is registered as an app, or from elsewhere. */
const WAYS = { none: '<p>No access token is needed here.', app: SIGN_IN + FIELD, field: FIELD };

/** A page to write and run a GraphQL request with, at `/{tenant}/playground`. */
export function playground(baseUrl: string): FastifyPluginAsync {
  const html = {
    none: pageWith(WAYS.none),
    app: pageWith(WAYS.app),
    field: pageWith(WAYS.field),
  };
  return async (app) => {
    app.addHook('onRequest', underCanonicalHost(baseUrl));
    app.get('/playground', { config: { open: true, api: 'page' } }, ({ tenant }, reply) =>
      sendPage(reply, html[wayOf(tenant)], SCRIPT),
    );
  };
}

function wayOf({ authorization }: Tenant): keyof typeof WAYS {
  if (authorization.type === 'mock') return 'none';
  return authorization.clients.some(({ client_id: id }) => id === 'playground') ? 'app' : 'field';
}

const pageWith = (way: string) =>
  htmlPage(
    'Playground',
    `${way}<div class="columns"><div>
<label for="query">Query</label><textarea id="query" spellcheck="false">${escaped(print(parse(READY_MADE.query)))}</textarea>
<label for="variables">Variables</label><textarea id="variables" class="short" spellcheck="false">${escaped(JSON.stringify(READY_MADE.variables))}</textarea>
<p><button id="run">Run</button></div>
<div><h2 id="answer">Answer</h2><pre id="out" role="region" tabindex="0" aria-labelledby="answer" aria-live="polite"></pre></div></div>`,
    SCRIPT,
  );
