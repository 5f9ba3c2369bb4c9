import { SYMPTOMS } from '../../gateway/pages/error-symptoms.ts';
import { FAULT_HELP, GRAPHQL_HELP, OAUTH_HELP, type Help } from '../../schema/fault/fault-help.ts';
import { statusOf, type FaultCode } from '../../schema/fault/fault.ts';
import { withGeneratedPart, writePage } from './generated-part.ts';

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
    ['codes of all APIs', codes(FAULT_HELP, (code) => statusOf(code as FaultCode))],
    ['codes of GraphQL', codes(GRAPHQL_HELP)],
    ['errors of OAuth', codes(OAUTH_HELP)],
  ];
  return parts.reduce((text, [name, part]) => withGeneratedPart(text, name, part), page);
}

function codes(help: Readonly<Record<string, Help>>, status?: (code: string) => number): string {
  const rows = Object.entries(help).map(([code, { meaning, next }]) =>
    line(`\`${code}\``, ...(status ? [String(status(code))] : []), meaning, next),
  );
  const head = line('code', ...(status ? ['status'] : []), 'what it means', 'what to do');
  return [head, status ? '|---|---|---|---|' : '|---|---|---|', ...rows].join('\n');
}

const line = (...cells: string[]): string => `| ${cells.join(' | ')} |`;

writePage('errors.md', errorsPage);
