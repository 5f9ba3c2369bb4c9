import type { FastifyPluginAsync } from 'fastify';
import { FAULT_HELP, GRAPHQL_HELP, OAUTH_HELP, type Help } from '../../schema/fault/fault-help.ts';
import { statusOf, type FaultCode } from '../../schema/fault/fault.ts';
import { escaped } from '../smart/server/sign-in/page.ts';
import { SYMPTOMS, type Symptom } from './error-symptoms.ts';
import { htmlPage, link, sendPage } from './html-page.ts';

/** A name is broken only after `_`; the row to which an error links is marked. On a phone, the cells of a row are below each other. */
const STYLE = `
  th, td:first-child { overflow-wrap: break-word; } :target { background: var(--soft); } tr:target { outline: 3px solid var(--accent); outline-offset: -3px; }
  @media (max-width: 40rem) { tr, th, td { display: block; border: 0; } tr { border-bottom: 1px solid var(--line); padding: .35rem 0; } tr:first-child { display: none; } }`;

/** Tables of codes: id in the page, title, and help for each code. */
const CODES: readonly [id: string, title: string, help: Readonly<Record<string, Help>>][] = [
  ['codes', 'Codes of all APIs', FAULT_HELP],
  ['graphql', 'Codes of GraphQL', GRAPHQL_HELP],
  ['oauth', 'Errors of OAuth', OAUTH_HELP],
];

/** Serves the page about errors at `/errors`, to which every error links. Each code is an anchor. */
export function errorsPage(): FastifyPluginAsync {
  const index = [...SYMPTOMS.map(({ id, title }) => [id, title] as const), ...CODES].map(
    ([id, title]) => `<li>${link(`#${id}`, escaped(title))}`,
  );
  const parts = { style: STYLE };
  const html = htmlPage(
    'Errors and what to do',
    `<p>Every error names a code, says what is wrong, and links to its row here. The header X-Request-Id
     of an answer finds its line in the log of the server.
     <p>${link('.', 'Start page: viewer, playground, first request')} · ${link('schema.graphql', 'GraphQL schema')} ·
     how to write an app: <code>docs/build-an-app.md</code> of the source code
     <nav aria-label="Index"><ul>${index.join('')}</ul></nav>
     ${SYMPTOMS.map(symptomTable).join('')}${CODES.map(codeTable).join('')}`,
    parts,
  );
  return async (app) => {
    app.get('/errors', (_request, reply) => sendPage(reply, html, parts));
  };
}

function symptomTable({ id, title, rows }: Symptom): string {
  const lines = rows.map(([seen, next]) => `<tr><td>${marked(seen)}<td>${marked(next)}`);
  return `<h2 id="${id}">${escaped(title)}</h2><table><tr><th>What you see<th>What to do</tr>${lines.join('')}</table>`;
}

function codeTable([id, title, help]: (typeof CODES)[number]): string {
  const hasStatus = help === FAULT_HELP;
  const lines = Object.entries(help).map(([code, { meaning, next }]) => {
    const status = hasStatus ? `<td>${statusOf(code as FaultCode)}` : '';
    return `<tr id="${code}"><th scope="row">${breakable(code)}${status}<td>${marked(meaning)}<td>${marked(next)}`;
  });
  const head = `<th>Code${hasStatus ? '<th>Status' : ''}<th>What it means<th>What to do`;
  return `<h2 id="${id}">${title}</h2><table><tr>${head}</tr>${lines.join('')}</table>`;
}

const breakable = (name: string): string => name.replaceAll('_', '_<wbr>');

/** Returns a text as HTML; what is in backticks is code. */
const marked = (text: string): string =>
  escaped(text).replace(/`([^`]+)`/g, (_all, code: string) => `<code>${breakable(code)}</code>`);
