/**
 * The concepts of SR templates (PS3.16) by which measurements are read, each as `scheme value`. SNOMED CT codes stand
 * beside the SNOMED RT codes of older reports (PS3.16 §8.1.1).
 */

const codes = (...all: string[]): ReadonlySet<string> => new Set(all);

/** Items that say something about the measurements around them. */
export const Concept = {
  /** Containers whose items are about one finding or structure: TID 1501, TID 1410, TID 1411, TID 5203. */
  MeasurementGroup: codes('DCM 125007'),
  TrackingIdentifier: codes('DCM 112039'),
  TrackingUniqueIdentifier: codes('DCM 112040'),
  FindingSite: codes('SCT 363698007', 'SRT G-C0E3'),
  Laterality: codes('SCT 272741003', 'SRT G-C171'),
  TopographicalModifier: codes('SCT 106233006', 'SRT G-A1F8'),
  MeasurementMethod: codes('SCT 370129005', 'SRT G-C036'),
  /** The subject of a group, as context of its measurements. */
  Finding: codes('DCM 121071', 'SCT 276214006'),
  SourceSeries: codes('DCM 121232'),
  /** Languages and observers (TID 1204, TID 1001 to 1004): about the report, not the measurement. */
  Report: codes(
    ...['DCM 121049', 'DCM 121046', 'DCM 121058', 'DCM 121005', 'DCM 121008', 'DCM 121009', 'DCM 121010'],
    ...['DCM 121011', 'DCM 121012', 'DCM 121013', 'DCM 121014', 'DCM 121015', 'DCM 121016', 'DCM 121017'],
    ...['DCM 113876', 'DCM 113877', 'DCM 121018', 'DCM 121019', 'DCM 121020', 'DCM 121021', 'DCM 121022'],
    // Subject context (TID 1006 to 1008): names and birth dates are no part of a measurement.
    ...['DCM 121024', 'DCM 121028', 'DCM 121029', 'DCM 121031', 'DCM 121032', 'DCM 121033'],
  ),
  /** CODE items that are findings of their own: TID 4003 and 4006 (mammography CAD), TID 4104, 4107 (chest CAD). */
  CadFinding: codes('DCM 111059', 'DCM 111015'),
} as const;

/** Root concepts of radiation dose reports: TID 10001 and TID 10011. They are read as dose, not as measurements. */
export const DOSE_REPORTS = codes('DCM 113701');

/** Containers of totals: TID 10002 (projection X-ray), TID 10012 (CT). */
export const DOSE_TOTALS = codes('DCM 113702', 'DCM 113811');

/** Containers of irradiation events: TID 10003 (projection X-ray), TID 10013 (CT). */
export const DOSE_EVENTS = codes('DCM 113706', 'DCM 113819');

/** NUM items of totals, by field of `RadiationDoseTotals`. */
export const TOTAL_QUANTITIES = {
  doseLengthProduct: codes('DCM 113813'),
  doseAreaProduct: codes('DCM 113722'),
  fluoroDoseAreaProduct: codes('DCM 113726'),
  acquisitionDoseAreaProduct: codes('DCM 113727'),
  referencePointDose: codes('DCM 113725'),
  fluoroTime: codes('DCM 113730'),
} as const;

/** NUM items of an irradiation event, by field of `IrradiationEvent`. */
export const EVENT_QUANTITIES = {
  ctdiVol: codes('DCM 113830'),
  doseLengthProduct: codes('DCM 113838'),
  doseAreaProduct: codes('DCM 122130'),
  referencePointDose: codes('DCM 113738'),
  exposureTime: codes('DCM 113824'),
  irradiationDuration: codes('DCM 113742'),
} as const;

/** Coded items of an irradiation event and of totals. */
export const EVENT_CODES = {
  type: codes('DCM 113820', 'DCM 113721'),
  targetRegion: codes('DCM 123014'),
  phantom: codes('DCM 113835'),
  plane: codes('DCM 113764'),
} as const;

/** Other items of dose reports. */
export const Dose = {
  EventUid: codes('DCM 113769'),
  EventStarted: codes('DCM 111526'),
  Protocol: codes('DCM 125203'),
  NumberOfEvents: codes('DCM 113812'),
} as const;
