import { number, Tag, text, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { personNames, string } from '../dicom/dicom-text.ts';
import type { Labels } from './image/encode.ts';
import type { Annotation } from './rendering-parameters.ts';
import { ownWindow, type Window } from './image/window.ts';

/** Returns the texts for `annotation=patient,technique`, PS3.18 §8.3.5.1.1; undefined if none are wanted. */
export function labelsOf(
  instance: DicomJson,
  attributes: DicomJson,
  annotation: readonly Annotation[],
  asked: Window | undefined,
): Labels | undefined {
  const left = annotation.includes('patient') ? patient(instance) : [];
  const right = annotation.includes('technique') ? technique(instance, asked ?? ownWindow(attributes)) : [];
  return left.length + right.length > 0 ? { left, right } : undefined;
}

function patient(instance: DicomJson): string[] {
  const born = date(text(instance, Tag.PatientBirthDate));
  return omitEmpty([
    personNames(instance, Tag.PatientName)[0],
    string(instance, Tag.PatientID),
    [born && `* ${born}`, string(instance, Tag.PatientSex)].filter(Boolean).join(' '),
    date(text(instance, Tag.StudyDate)),
    string(instance, Tag.AccessionNumber),
  ]);
}

function technique(instance: DicomJson, window: Window | undefined): string[] {
  const of = (tag: string, unit: string): string => {
    const value = number(instance, tag);
    return value === undefined ? '' : `${Number(value.toPrecision(4))} ${unit}`;
  };
  const series = [text(instance, Tag.SeriesNumber), text(instance, Tag.InstanceNumber)].filter(Boolean);
  return omitEmpty([
    [string(instance, Tag.Modality), string(instance, Tag.SeriesDescription)].filter(Boolean).join(' '),
    series.join(' / '),
    [of('00180060', 'kV'), of('00181151', 'mA')].filter(Boolean).join(' '),
    [of('00180080', 'ms TR'), of('00180081', 'ms TE')].filter(Boolean).join(' '),
    [of('00180050', 'mm'), texts(instance, '00201041')[0] && of('00201041', 'mm')]
      .filter(Boolean)
      .join(' at '),
    window && `C ${Math.round(window.center)} W ${Math.round(window.width)}`,
  ]);
}

function omitEmpty(lines: readonly (string | undefined)[]): string[] {
  return lines.filter((line): line is string => !!line).map((line) => line.slice(0, 80));
}

function date(value: string | undefined): string | undefined {
  return value?.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3');
}
