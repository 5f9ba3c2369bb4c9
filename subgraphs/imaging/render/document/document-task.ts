import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { utf8 } from '../../../../schema/process/texts.ts';
import { withNumericTexts } from '../../dicom/numeric-value.ts';
import type { DescribeTask } from '../image/describe.ts';
import { srDocument } from './sr-document.ts';
import { waveformSvg } from './waveform-svg.ts';
import { firstWaveform } from './waveform.ts';

/** Renders a structured report as HTML in UTF-8. */
export function renderReport({ json }: DescribeTask): Uint8Array {
  const written = utf8(json);
  const report = JSON.parse(withNumericTexts(written)) as DicomJson;
  return new TextEncoder().encode(srDocument(report));
}

export interface WaveformTask {
  /** The attributes that `describeImage` selected. */
  dataset: DicomJson;
  /** The samples if they are bulk data. */
  samples: Uint8Array | undefined;
}

/** Renders the first waveform of an object as SVG. @throws Fault `not_found` if it cannot be drawn */
export function renderWaveform({ dataset, samples = new Uint8Array() }: WaveformTask): string {
  const waveform = firstWaveform(dataset, samples);
  return waveformSvg(waveform, text(dataset, Tag.Modality) ?? 'Waveform');
}
