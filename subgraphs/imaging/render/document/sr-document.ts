import { codeOf, type Code } from '../../../../schema/dicom/code.ts';
import { items, Tag, text, texts, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { personNames, string } from '../../dicom/dicom-text.ts';
import { escaped } from './markup.ts';

/** Limits beyond which a report is cut, with a note. */
const MAX_DEPTH = 64;
const MAX_ITEMS = 50_000;

const CONTENT = '0040A730';

/**
 * Renders a structured report as one HTML page: the whole content tree of PS3.3 §C.17.3, with codes, units, dates and
 * references. The page runs and fetches nothing.
 */
export function srDocument(report: DicomJson): string {
  const title = codeOf(report, '0040A043')?.meaning ?? 'Structured report';
  const left = { items: MAX_ITEMS };
  const body = content(report, 0, left);
  const cut = left.items < 0 ? '<p class="note">The report is longer than what is shown here.</p>' : '';
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><h1>${escaped(title)}</h1>
<dl>${headOf(report)}</dl>
${body}${cut}
${evidence(report)}</body></html>
`;
}

const STYLE = `body{font:15px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#1b1f24}
h1{font-size:1.5em}h2{font-size:1.1em;margin:1em 0 .3em}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em}
dt{color:#57606a}dd{margin:0}section,li{margin:.3em 0}ul{padding-left:1.3em}.name{color:#57606a}.code,.note{color:#6e7781;font-size:.85em}
.text{white-space:pre-wrap}.uid{font-family:monospace;font-size:.85em;overflow-wrap:anywhere}`;

/** Renders persons, dates, and the completion and verification of the report. */
function headOf(report: DicomJson): string {
  const observers = items(report, '0040A073').map((observer) =>
    [personNames(observer, '0040A075')[0], string(observer, '0040A027'), moment(text(observer, '0040A030'))]
      .filter(Boolean)
      .join(', '),
  );
  const rows: [string, string | undefined][] = [
    ['Patient', personNames(report, Tag.PatientName)[0]],
    ['Patient ID', string(report, Tag.PatientID)],
    ['Born', moment(text(report, Tag.PatientBirthDate))],
    ['Sex', string(report, Tag.PatientSex)],
    ['Study', string(report, Tag.StudyDescription)],
    ['Accession number', string(report, Tag.AccessionNumber)],
    ['Content', moment(text(report, '00080023'), text(report, '00080033'))],
    ['Completion', string(report, '0040A491')],
    ['Verification', string(report, '0040A493')],
    ...observers.map((observer): [string, string] => ['Verified by', observer]),
  ];
  return rows.map(([name, value]) => (value ? `<dt>${name}</dt><dd>${escaped(value)}</dd>` : '')).join('');
}

function content(item: DicomJson, depth: number, left: { items: number }): string {
  const children = items(item, CONTENT);
  if (children.length === 0) return '';
  if (depth > MAX_DEPTH) return '<p class="note">Deeper content is not shown.</p>';
  let html = '';
  for (const child of children) {
    if (--left.items < 0) break;
    html += contentItem(child, depth, left);
  }
  return `<ul>${html}</ul>`;
}

/** Renders a content item: relationship, concept name, value and children (PS3.3 §C.17.3). */
function contentItem(item: DicomJson, depth: number, left: { items: number }): string {
  const name = codeOf(item, '0040A043');
  const below = content(item, depth + 1, left);
  const type = string(item, '0040A040');
  const relationship = string(item, '0040A010');
  const observed = moment(text(item, '0040A032'));
  const remarks = [
    relationship && relationship !== 'CONTAINS' ? relationship.toLowerCase() : undefined,
    observed && `observed ${observed}`,
  ].filter((remark) => remark !== undefined);
  const remark = remarks.length > 0 ? ` <span class="note">${escaped(remarks.join(', '))}</span>` : '';
  if (type === 'CONTAINER') return `<li><h2>${name ? coded(name) : ''}${remark}</h2>${below}</li>`;
  const label = name ? `<span class="name">${coded(name)}:</span> ` : '';
  return `<li>${label}${valueOf(item, type)}${remark}${below}</li>`;
}

function valueOf(item: DicomJson, type: string | undefined): string {
  switch (type) {
    case 'TEXT':
      return `<span class="text">${escaped(text(item, '0040A160') ?? '')}</span>`;
    case 'CODE':
      return coded(codeOf(item, '0040A168'));
    case 'NUM':
      return measured(item);
    case 'DATETIME':
      return escaped(moment(text(item, '0040A120')) ?? '');
    case 'DATE':
      return escaped(moment(text(item, '0040A121')) ?? '');
    case 'TIME':
      return escaped(timeOf(text(item, '0040A122')) ?? '');
    case 'PNAME':
      return escaped(personNames(item, '0040A123')[0] ?? '');
    case 'UIDREF':
      return uid(text(item, '0040A124'));
    case 'IMAGE':
    case 'COMPOSITE':
    case 'WAVEFORM':
      return items(item, '00081199').map(referenced).join(', ');
    case 'SCOORD':
    case 'SCOORD3D':
      return `${escaped(string(item, '00700023') ?? '')} <span class="code">${escaped(texts(item, '00700022').slice(0, 200).join(' '))}</span>`;
    case 'TCOORD':
      return escaped(
        [
          string(item, '0040A130'),
          ...['0040A132', '0040A138', '0040A13A'].flatMap((tag) => texts(item, tag).slice(0, 200)),
        ]
          .filter(Boolean)
          .join(' '),
      );
    default:
      // An item by reference has no type of its own (PS3.3 §C.17.3.2.5).
      return `<span class="note">${escaped(type ?? `see item ${texts(item, '0040DB73').join('.')}`)}</span>`;
  }
}

function measured(item: DicomJson): string {
  const values = items(item, '0040A300').map((measurement) => {
    const unit = codeOf(measurement, '004008EA');
    // UCUM writes "no units" as 1.
    const unitText =
      unit && unit.value !== '1'
        ? ` <span title="${escaped(unit.meaning)}">${escaped(unit.value ?? '')}</span>`
        : '';
    return `${escaped(texts(measurement, '0040A30A').join(', '))}${unitText}`;
  });
  const qualifier = codeOf(item, '0040A301');
  return [...values, ...(qualifier ? [coded(qualifier)] : [])].join(' ');
}

function referenced(sop: DicomJson): string {
  const frames = texts(sop, '00081160');
  const of = frames.length > 0 ? `, frame ${escaped(frames.join(', '))}` : '';
  return `${uid(text(sop, '00081155'))}${of}`;
}

function evidence(report: DicomJson): string {
  const lines = items(report, '0040A375').flatMap((study) =>
    items(study, '00081115').map(
      (series) =>
        `<li>Study ${uid(text(study, Tag.StudyInstanceUID))}, series ${uid(text(series, Tag.SeriesInstanceUID))}: ${items(series, '00081199').length} object(s)</li>`,
    ),
  );
  return lines.length > 0 ? `<h2>Evidence</h2><ul>${lines.slice(0, 1000).join('')}</ul>` : '';
}

function coded(code: Code | undefined): string {
  if (!code) return '';
  const detail = [code.value, code.scheme].filter(Boolean).join(', ');
  return `${escaped(code.meaning)} <span class="code">(${escaped(detail)})</span>`;
}

function uid(value: string | undefined): string {
  return `<span class="uid">${escaped(value ?? '')}</span>`;
}

/** Formats DA and TM, or DT, for people: `2005-12-31 23:59`, with the offset if there is one. */
function moment(date: string | undefined, time?: string): string | undefined {
  const [, year, month, day, rest = '', zone] =
    /^(\d{4})(\d\d)?(\d\d)?(\d{2,6})?(?:\.\d+)?([+-]\d{4})?/.exec(date ?? '') ?? [];
  if (!year) return date;
  const day10 = [year, month, day].filter(Boolean).join('-');
  return [day10, timeOf(time ?? rest), zone].filter(Boolean).join(' ');
}

function timeOf(time: string | undefined): string | undefined {
  return /^(\d\d)(\d\d)?(\d\d)?/
    .exec(time ?? '')
    ?.slice(1)
    .filter(Boolean)
    .join(':');
}
