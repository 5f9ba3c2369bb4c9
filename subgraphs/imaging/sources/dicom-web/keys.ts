import { number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { vrOf } from '../../../../schema/dicom/dictionary.ts';
import { hasWildcard, wildcards } from '../../dicom/wildcards.ts';
import type { SourceQuery } from '../source.ts';

/**
 * Keys of a search as a server is asked them, and what is left to judge from its rows. Servers match less than PS3.4
 * §C.2.2.2 has, Orthanc above all: it takes percent-encoding for the value itself, a comma for a list whatever the
 * attribute, in a value with wildcards brackets match nothing, times and numbers are compared as they are written, and
 * codes by list, without wildcards.
 */
export interface AskedKeys {
  /** Tag and value; together they match all that the search does, or more. */
  asked: readonly (readonly [tag: string, value: string])[];
  /** Attributes that rows must show to be judged. */
  needed: readonly string[];
  /** Whether a row is what was searched for, where the keys that were asked let others through. */
  meets(row: DicomJson): boolean;
}

type Judge = (row: DicomJson) => boolean;

/**
 * A text that matches at least what the value matches, of characters alone that stand in a query as they are.
 */
export function askedText(value: string): string {
  const plain = value.replace(/[^\x00-\x7f]+/g, '*').replace(/[\s"#%&'+,;<>[\\\]^`{|}]/g, '?');
  return hasWildcard(plain) ? plain.replace(/[$()]/g, '?') : plain;
}

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
      // Some pad numbers with spaces or zeros. The rows of one study are few enough to be judged here.
      needed.push(tag);
      judges.push((row) => values.some((value) => number(row, tag) === Number(value)));
    } else if (vr === 'TM') {
      asked.push([tag, timeRange(values[0]!)]);
    } else if (vr === 'DA') {
      // A range without a beginning matches empty dates.
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

/** `10`, `1015-`, `-12`: a time of less precision means all of what it leaves open, PS3.4 §C.2.2.2.5. */
function timeRange(value: string): string {
  const [from = '', to = from] = value.split('-');
  return `${from || '00'}-${to && to + '235959.999999'.slice(to.length)}`;
}

/**
 * Judges a text by the pattern. Case is the server's to mind or not; trailing `^` of a name say nothing.
 * @param asked what the server was asked, where it was: a row that does not show the attribute is then its judgement
 */
function matchesText(tag: string, values: readonly string[], asked?: string): Judge {
  const pattern = wildcards(values.map(withoutCarets), 'i');
  return (row) => {
    const shown = shownTexts(row, tag);
    return shown.length === 0 ? asked !== undefined : shown.some((value) => pattern.test(value));
  };
}

/** All that a row shows of an attribute; of a name each of its groups. */
function shownTexts(row: DicomJson, tag: string): string[] {
  const values = row[tag]?.Value ?? [];
  const groups = values.flatMap((value) => (typeof value === 'object' ? Object.values(value ?? {}) : value));
  return groups.map((group) => withoutCarets(String(group)));
}

function withoutCarets(text: string): string {
  return text.replace(/\^+$/, '');
}

/** A key of a sequence's items, `00400275.00400009`: no server is asked, since some ignore it (DW-3). */
function inSequence(path: string, values: readonly string[]): Judge {
  const [sequence = '', tag = ''] = path.split('.');
  const pattern = wildcards(values);
  return (row) =>
    (row[sequence]?.Value ?? []).some((item) => pattern.test(text((item ?? {}) as DicomJson, tag) ?? ''));
}
