import type { Measurement } from '../../domain/measure/measurement.ts';
import { m } from '../../messages/compiled/messages.js';
import { KIND_NAMES } from '../../ui/controls/kind-names.ts';
import type { Outcome } from './opened.ts';
import type { Saved } from './saved.ts';

/** Returns what became of a file, as sentences. */
export function outcomeWords(outcome: Outcome): string {
  const { file, kind } = outcome;
  switch (kind) {
    case 'measurements':
      return [m.fileMeasurements({ file, count: outcome.count }), missingWords(outcome.missing)]
        .join(' ')
        .trim();
    case 'key-images':
      return [m.fileKeyImages({ file, count: outcome.count }), missingWords(outcome.missing)]
        .join(' ')
        .trim();
    default:
      return WORDS[kind]({ file });
  }
}

/** True if nothing of the file is shown. */
export function isRefused({ kind }: Outcome): boolean {
  return kind !== 'measurements' && kind !== 'key-images' && kind !== 'overlay' && kind !== 'known';
}

const missingWords = (count: number): string => (count > 0 ? m.fileMissing({ count }) : '');

const WORDS: Record<
  Exclude<Outcome['kind'], 'measurements' | 'key-images'>,
  (value: { file: string }) => string
> = {
  overlay: m.fileOverlay,
  known: m.fileKnown,
  nothing: m.fileNothing,
  'other-study': m.fileOtherStudy,
  'other-patient': m.fileOtherPatient,
  nobody: m.fileNobody,
  large: m.fileLarge,
  trouble: m.fileTrouble,
  foreign: m.fileForeign,
  cut: m.fileCut,
  encoding: m.fileEncoding,
};

/** Returns what was saved, and what is in no file. */
export function savedWords({ count, numberless }: Saved): string[] {
  return [
    count > 0 ? m.filesSaved({ count }) : m.filesNothing(),
    ...(numberless.length > 0 ? [m.filesNumberless({ places: placesOf(numberless) })] : []),
  ];
}

function placesOf(measurements: readonly Measurement[]): string {
  return measurements
    .map(({ kind, place: { series, image } }) =>
      [KIND_NAMES[kind](), m.measurePlace({ series: series ?? '?', image })].join(', '),
    )
    .join('; ');
}
