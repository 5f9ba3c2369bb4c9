import { number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { vrOf } from '../../../../schema/dicom/dictionary.ts';
import { hasWildcard, wildcards } from '../../dicom/wildcards.ts';
import type { SourceQuery } from '../source.ts';

/**
 * Keys of a search for a server, and the conditions left to check in its rows. Servers, mostly Orthanc, support less
 * matching than PS3.4 §C.2.2.2. Orthanc takes percent-encoding as the value, and a comma as a list for any attribute.
 * Brackets in a value with wildcards match nothing, times and numbers are compared as text, and codes only as a list
 * without wildcards.
 */
export interface AskedKeys {
  /** Tags and values, which together match all objects of the search, or more. */
  asked: readonly (readonly [tag: string, value: string])[];
  /** Attributes that rows must have for the check. */
  needed: readonly string[];
  /** Tells whether a row meets the conditions that the keys for the server do not cover. */
  meets(row: DicomJson): boolean;
}

type Judge = (row: DicomJson) => boolean;

/** Returns a text that matches at least the same as the value, with only characters that a query needs not encode. */
export function askedText(value: string): string {
  const plain = value.replace(/[^\x00-\x7f]+/g, '*').replace(/[\s"#%&'+,;<>[\\\]^`{|}]/g, '?');
  return hasWildcard(plain) ? plain.replace(/[$()]/g, '?') : plain;
}

/** Splits a search into keys for the server and conditions to check. */
export function askedKeys({ match, studyUid }: Pick<SourceQuery, 'match' | 'studyUid'>): AskedKeys {
  const asked: (readonly [string, string])[] = [];
  const needed: string[] = [];
  const judges: Judge[] = [];
  for (const [tag, values] of match) {
    const vr = vrOf(tag);
    if (tag.includes('.')) {
      needed.push(tag.split('.')[0]!);
      judges.push(inSequence(tag, values));
    } else if (vr === 'CS' && values.some((value) => /[*? ]/.test(value))) {
      needed.push(tag);
      judges.push(matchesText(tag, values));
    } else if (vr === 'IS' && studyUid !== undefined) {
      // Some servers pad numbers with spaces or zeros. The rows of one study are few enough to check them here.
      needed.push(tag);
      judges.push((row) => values.some((value) => number(row, tag) === Number(value)));
    } else if (vr === 'TM') {
      asked.push([tag, timeRange(values[0]!)]);
    } else if (vr === 'DA') {
      // A range without a start would match empty dates.
      asked.push([tag, values[0]!.replace(/^-/, '00010101-')]);
    } else if (vr === 'UI' || vr === 'CS') {
      asked.push([tag, values.join(',')]);
    } else if (vr === 'IS' || vr === 'US') {
      asked.push([tag, String(Number(values[0]))]);
    } else {
      const [value = ''] = values;
      const wider = askedText(value);
      asked.push([tag, wider]);
      if (wider !== value) judges.push(matchesText(tag, values, wider));
    }
  }
  return { asked, needed, meets: (row) => judges.every((judge) => judge(row)) };
}

/** Converts `10`, `1015-`, `-12` to a range: a partial time matches all times that it may mean, PS3.4 §C.2.2.2.5. */
function timeRange(value: string): string {
  const [from = '', to = from] = value.split('-');
  return `${from || '00'}-${to && to + '235959.999999'.slice(to.length)}`;
}

/**
 * Matches a text without case, which a server may ignore. `^` at the end of a name have no meaning.
 * @param asked the key for the server, if it got one. A row without the attribute then matches, as the server decided
 */
function matchesText(tag: string, values: readonly string[], asked?: string): Judge {
  const pattern = wildcards(values.map(withoutCarets), 'i');
  return (row) => {
    const shown = shownTexts(row, tag);
    return shown.length === 0 ? asked !== undefined : shown.some((value) => pattern.test(value));
  };
}

/** Returns all values of an attribute in a row, for names each of their groups. */
function shownTexts(row: DicomJson, tag: string): string[] {
  const values = row[tag]?.Value ?? [];
  const groups = values.flatMap((value) => (typeof value === 'object' ? Object.values(value ?? {}) : value));
  return groups.map((group) => withoutCarets(String(group)));
}

function withoutCarets(text: string): string {
  return text.replace(/\^+$/, '');
}

/** Matches a key of sequence items, `00400275.00400009`. Servers are not asked, because some ignore it (DW-3). */
function inSequence(path: string, values: readonly string[]): Judge {
  const [sequence = '', tag = ''] = path.split('.');
  const pattern = wildcards(values);
  return (row) =>
    (row[sequence]?.Value ?? []).some((item) => pattern.test(text((item ?? {}) as DicomJson, tag) ?? ''));
}
