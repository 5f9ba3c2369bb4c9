import { isCode } from '../../../schema/dicom/code.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { utf8 } from '../../../schema/process/texts.ts';
import { withNumericTexts } from '../dicom/numeric-value.ts';
import { uid } from '../dicom/dicom-text.ts';
import { contentTree } from './content-tree.ts';
import { doseOf, type RadiationDose } from './dose.ts';
import { observationsOf, type MeasuredObservation } from './observations.ts';
import { DOSE_REPORTS } from './templates.ts';

/** Bytes of the metadata of the reports of one series. */
export const MAX_REPORT_BYTES = 16 * 1024 * 1024;

/** Prefix of the SOP classes of structured reports (PS3.4 §B.5). */
const SR_CLASSES = '1.2.840.10008.5.1.4.1.1.88.';
/** Key Object Selection is no report of measurements. */
const KEY_OBJECTS = '1.2.840.10008.5.1.4.1.1.88.59';

/** The contents of the structured reports of a series. */
export interface SeriesReports {
  observations: MeasuredObservation[];
  doses: RadiationDose[];
  /** Messages of the reports that were refused; their other siblings are read. */
  refused: string[];
}

/**
 * Reads the structured reports among the objects of a series. Reports of radiation dose are read as dose, all others as
 * measurements.
 * @param json metadata of the objects: an array of data sets of the DICOM JSON model, in UTF-8
 */
export function readReports({ json }: { json: Uint8Array }): SeriesReports {
  const text = utf8(json);
  const datasets = JSON.parse(withNumericTexts(text)) as DicomJson[];
  const found: SeriesReports = { observations: [], doses: [], refused: [] };
  for (const dataset of datasets) {
    const sopClass = uid(dataset, Tag.SOPClassUID) ?? '';
    if (!sopClass.startsWith(SR_CLASSES) || sopClass === KEY_OBJECTS) continue;
    try {
      const tree = contentTree(dataset);
      if (isCode(tree.root.name, DOSE_REPORTS)) found.doses.push(doseOf(dataset, tree));
      else found.observations.push(...observationsOf(dataset, tree));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      found.refused.push(error.message);
    }
  }
  return found;
}
