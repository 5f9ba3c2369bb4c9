import type { Result } from '../requirement.ts';
import type { Report } from '../run.ts';
import { escaped } from './escaped.ts';
import { countsOf, isChecked, notChecked, uncheckedOf, verdictOf } from './summary.ts';

const STYLE = `
  :root { color-scheme: light dark; --line: #8886; --good: #17703b; --bad: #b3261e; --some: #8a5a00; }
  @media (prefers-color-scheme: dark) { :root { --good: #6fd39a; --bad: #ff9b93; --some: #f0bd5e; } }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dd { margin: 0; }
  ul { padding-left: 0; list-style: none; } li { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .failed { color: var(--bad); } .warning { color: var(--some); } .passed { color: var(--good); }
  .note { border-left: 4px solid var(--some); padding-left: .8rem; }
  @media print { details::details-content { content-visibility: visible; } }`;

const WORDS: Readonly<Record<Result['status'], string>> = {
  passed: 'met',
  failed: 'not met',
  warning: 'not met',
  blocked: 'not checked',
  skipped: 'not checked',
};

/** Order within a part: MUST before SHOULD, and what has to be mended before what is met. */
const LEVELS: readonly Result['level'][] = ['MUST', 'SHOULD', 'MAY'];
const STATUSES: readonly Result['status'][] = ['blocked', 'failed', 'warning', 'skipped', 'passed'];
const rank = ({ level, status }: Result) => 10 * LEVELS.indexOf(level) + STATUSES.indexOf(status);

/**
 * Returns a report as one HTML page without scripts (IA-48): what was not checked first, then the MUSTs, then the SHOULDs and
 * MAYs.
 * @param sha256 of the bytes of the JSON report, in hexadecimal
 */
export function htmlReport(report: Report, sha256: string): string {
  const { results } = report;
  const checked = results.filter(isChecked);
  const must = checked.filter(({ level }) => level === 'MUST');
  const other = checked.filter(({ level }) => level !== 'MUST');
  const title = 'Conformance of an imaging server';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style></head><body><main>
<h1>${title}</h1>
<p><strong>${escaped(countsOf(report))}</strong> ${escaped(verdictOf(report))}</p>
${facts(report, sha256)}
${uncheckedPart(report)}
${part('MUST', must)}
${part('SHOULD and MAY', other)}
</main></body></html>
`;
}

function facts({ base, dicomweb, started, versions }: Report, sha256: string): string {
  const rows = [
    ['FHIR base', base],
    ['DICOMweb base', dicomweb],
    ['Software of the server', versions.server ?? 'not told'],
    ['Date', started],
    ['Kit', `smart-imaging-conformance ${versions.kit}, Node ${versions.node}`],
    ['SHA-256 of the JSON report', sha256],
  ] as const;
  const shown = rows.filter(([, value]) => value !== undefined);
  return `<dl>${shown.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value!)}</dd>`).join('')}</dl>`;
}

function uncheckedPart(report: Report): string {
  const groups = uncheckedOf(report);
  const count = notChecked(report);
  if (count === 0) return '<h2>Not checked: nothing</h2>';
  const parts = groups.map(
    ({ reason, count, results }) => `<h3>${count}: ${escaped(reason)}</h3>${items(results)}`,
  );
  return `<h2>Not checked: ${count}</h2><p class="note">The report says nothing about these requirements.</p>${parts.join('\n')}`;
}

function part(title: string, results: readonly Result[]): string {
  if (results.length === 0) return `<h2>${title}: nothing checked</h2>`;
  const met = results.filter(({ status }) => status === 'passed').length;
  return `<h2>${title}: ${met} of ${results.length} checked are met</h2>${items(results)}`;
}

const items = (results: readonly Result[]) =>
  `<ul>${[...results]
    .sort((a, b) => rank(a) - rank(b))
    .map(item)
    .join('')}</ul>`;

function item({ id, name, level, sentence, status, requested, expected, found }: Result): string {
  const title = `<span class="${status}">${WORDS[status]}</span> ${level} ${escaped(`${id} ${name}: ${sentence}`)}`;
  if (status === 'skipped') return `<li>${title}</li>`;
  const lines = [
    ...requested.map((line) => `requested: ${line}`),
    `expected: ${expected}`,
    `found: ${found}`,
  ];
  const list = lines.map((line) => `<div>${escaped(line)}</div>`).join('');
  return `<li><details${status === 'passed' ? '' : ' open'}><summary>${title}</summary>${list}</details></li>`;
}
