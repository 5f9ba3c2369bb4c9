/** Modalities whose studies are compared with each other. A modality of no family is compared with itself alone. */
export const MODALITY_FAMILIES: Readonly<Record<string, readonly string[]>> = {
  radiography: ['CR', 'DX', 'RG', 'DR'],
  fluoroscopy: ['XA', 'RF', 'XF', 'DF'],
  nuclearMedicine: ['NM', 'PT', 'ST'],
  ophthalmicTomography: ['OPT', 'OCT'],
  ophthalmicPhotography: ['OP', 'OPV'],
  dentalRadiography: ['IO', 'PX'],
};

/** Modalities of objects that describe images, or hold other data (PS3.3 §C.7.3.1.1.1): no study is compared by them. */
export const NOT_COMPARED: readonly string[] = [
  'AU',
  'DOC',
  'FID',
  'KO',
  'OT',
  'PLAN',
  'PR',
  'REG',
  'RTDOSE',
  'RTPLAN',
  'RTRECORD',
  'RTSTRUCT',
  'RWV',
  'SEG',
  'SMR',
  'SR',
];
