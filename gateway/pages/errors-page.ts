import type { FastifyPluginAsync } from 'fastify';
import { FAULT_HELP, GRAPHQL_HELP, OAUTH_HELP, type Help } from '../../schema/fault/fault-help.ts';
import { Fault, type FaultCode } from '../../schema/fault/fault.ts';
import { escaped } from '../smart/server/sign-in/page.ts';
import { SYMPTOMS, type Symptom } from './error-symptoms.ts';
import { htmlPage, sendPage } from './html-page.ts';

/** Serves the page about errors at `/errors`, to which every error links. Each code is an anchor. */
export function errorsPage(): FastifyPluginAsync {
  const html = htmlPage(
    'Errors and what to do',
    `<p>Every error names a code, says what is wrong, and links to its row here. The header X-Request-Id
     of an answer finds its line in the log of the server.
     ${SYMPTOMS.map(symptomTable).join('')}
     ${codeTable('Codes of all APIs', FAULT_HELP, (code) => new Fault(code as FaultCode, '').status)}
     ${codeTable('Codes of GraphQL', GRAPHQL_HELP)}
     ${codeTable('Errors of OAuth', OAUTH_HELP)}`,
  );
  return async (app) => {
    app.get('/errors', (_request, reply) => sendPage(reply, html));
  };
}

function symptomTable({ title, rows }: Symptom): string {
  const lines = rows.map(([seen, next]) => `<tr><td>${marked(seen)}<td>${marked(next)}`);
  return `<h2>${escaped(title)}</h2><table><tr><th>What you see<th>What to do</tr>${lines.join('')}</table>`;
}

function codeTable(
  title: string,
  help: Readonly<Record<string, Help>>,
  statusOf?: (code: string) => number,
): string {
  const lines = Object.entries(help).map(([code, { meaning, next }]) => {
    const status = statusOf ? `<td>${statusOf(code)}` : '';
    return `<tr id="${code}"><th scope="row">${code}${status}<td>${marked(meaning)}<td>${marked(next)}`;
  });
  const head = `<th>Code${statusOf ? '<th>Status' : ''}<th>What it means<th>What to do`;
  return `<h2>${title}</h2><table><tr>${head}</tr>${lines.join('')}</table>`;
}

/** Returns a text as HTML; what is in backticks is code. */
const marked = (text: string): string => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
