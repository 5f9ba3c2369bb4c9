import { readFileSync } from 'node:fs';
import { SYMPTOMS } from '../../gateway/pages/error-symptoms.ts';
import { FAULT_HELP, GRAPHQL_HELP, OAUTH_HELP, type Help } from '../../schema/fault/fault-help.ts';
import { Fault, type FaultCode } from '../../schema/fault/fault.ts';
import { writeOrCheck } from '../../schema/generate/files.ts';
import { withGeneratedPart } from './generated-part.ts';

/**
 * Writes the tables of `docs/errors.md`, which the server shows at `/errors` too.
 *
 *     npx tsx docs/generate/errors.ts           writes them
 *     npx tsx docs/generate/errors.ts --check   writes nothing; fails if the page is out of date
 */
function errorsPage(page: string): string {
  const symptoms = SYMPTOMS.map(({ title, rows }) =>
    [
      `### ${title}`,
      '',
      '| what you see | what to do |',
      '|---|---|',
      ...rows.map((row) => line(...row)),
    ].join('\n'),
  );
  const parts: [name: string, text: string][] = [
    ['symptoms', symptoms.join('\n\n')],
    ['codes of all APIs', codes(FAULT_HELP, (code) => new Fault(code as FaultCode, '').status)],
    ['codes of GraphQL', codes(GRAPHQL_HELP)],
    ['errors of OAuth', codes(OAUTH_HELP)],
  ];
  return parts.reduce((text, [name, part]) => withGeneratedPart(text, name, part), page);
}

function codes(help: Readonly<Record<string, Help>>, statusOf?: (code: string) => number): string {
  const rows = Object.entries(help).map(([code, { meaning, next }]) =>
    line(`\`${code}\``, ...(statusOf ? [String(statusOf(code))] : []), meaning, next),
  );
  const head = line('code', ...(statusOf ? ['status'] : []), 'what it means', 'what to do');
  return [head, statusOf ? '|---|---|---|---|' : '|---|---|---|', ...rows].join('\n');
}

const line = (...cells: string[]): string => `| ${cells.join(' | ')} |`;

const folder = new URL('../', import.meta.url);
const page = readFileSync(new URL('errors.md', folder), 'utf8');
process.exitCode = writeOrCheck(
  folder,
  { 'errors.md': errorsPage(page) },
  process.argv.slice(2),
  'npm run docs',
);
