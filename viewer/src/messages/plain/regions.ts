/** Regions of the body, as records and images name them, and as people do. */

interface Region {
  /** After the name of an examination. */
  en: string;
  es: string;
  /** Words of DICOM's Body Part Examined (PS3.16 Annex L) and of descriptions, without accents. */
  words: readonly string[];
  /** A larger region that it is part of: both together mean this one. */
  within?: string;
}

export const REGIONS: Readonly<Record<string, Region>> = {
  head: { en: 'of the head', es: 'de la cabeza', words: ['head', 'cabeza', 'cerebrocraneal'] },
  skull: { en: 'of the skull', es: 'del cráneo', words: ['skull', 'craneo'], within: 'head' },
  brain: { en: 'of the brain', es: 'del cerebro', words: ['brain', 'cerebro', 'encefalo'], within: 'head' },
  sinuses: {
    en: 'of the sinuses',
    es: 'de los senos nasales',
    words: ['sinus', 'sinuses', 'psinus', 'senos'],
    within: 'head',
  },
  eyes: {
    en: 'of the eye',
    es: 'del ojo',
    words: ['eye', 'eyes', 'orbit', 'orbits', 'orbitas'],
    within: 'head',
  },
  jaw: { en: 'of the jaw', es: 'de la mandíbula', words: ['jaw', 'mandible', 'mandibula'], within: 'head' },
  neck: { en: 'of the neck', es: 'del cuello', words: ['neck', 'cuello'] },
  thyroid: {
    en: 'of the thyroid gland',
    es: 'de la tiroides',
    words: ['thyroid', 'tiroides'],
    within: 'neck',
  },
  chest: { en: 'of the chest', es: 'del tórax', words: ['chest', 'thorax', 'torax'] },
  lungs: {
    en: 'of the lungs',
    es: 'de los pulmones',
    words: ['lung', 'lungs', 'pulmon', 'pulmones'],
    within: 'chest',
  },
  heart: {
    en: 'of the heart',
    es: 'del corazón',
    words: ['heart', 'cardiac', 'corazon', 'cardiaca'],
    within: 'chest',
  },
  ribs: { en: 'of the ribs', es: 'de las costillas', words: ['rib', 'ribs', 'costillas'], within: 'chest' },
  breast: { en: 'of the breast', es: 'de la mama', words: ['breast', 'breasts', 'mama', 'mamas'] },
  abdomen: { en: 'of the belly', es: 'del abdomen', words: ['abdomen', 'abdominal', 'belly'] },
  liver: { en: 'of the liver', es: 'del hígado', words: ['liver', 'higado'], within: 'abdomen' },
  kidneys: {
    en: 'of the kidneys',
    es: 'de los riñones',
    words: ['kidney', 'kidneys', 'renal', 'rinon', 'rinones'],
    within: 'abdomen',
  },
  pelvis: { en: 'of the pelvis', es: 'de la pelvis', words: ['pelvis', 'pelvic'] },
  prostate: {
    en: 'of the prostate',
    es: 'de la próstata',
    words: ['prostate', 'prostata'],
    within: 'pelvis',
  },
  uterus: { en: 'of the womb', es: 'del útero', words: ['uterus', 'utero'], within: 'pelvis' },
  spine: { en: 'of the spine', es: 'de la columna', words: ['spine', 'columna', 'spinal'] },
  neckSpine: {
    en: 'of the spine in the neck',
    es: 'de la columna del cuello',
    words: ['cspine', 'cervical'],
    within: 'spine',
  },
  upperBack: {
    en: 'of the spine of the upper back',
    es: 'de la columna dorsal',
    words: ['tspine', 'dorsal'],
    within: 'spine',
  },
  lowerBack: {
    en: 'of the spine of the lower back',
    es: 'de la columna lumbar',
    words: ['lspine', 'lumbar'],
    within: 'spine',
  },
  shoulder: { en: 'of the shoulder', es: 'del hombro', words: ['shoulder', 'hombro'] },
  elbow: { en: 'of the elbow', es: 'del codo', words: ['elbow', 'codo'] },
  wrist: { en: 'of the wrist', es: 'de la muñeca', words: ['wrist', 'muneca'] },
  hand: { en: 'of the hand', es: 'de la mano', words: ['hand', 'mano'] },
  hip: { en: 'of the hip', es: 'de la cadera', words: ['hip', 'cadera'] },
  knee: { en: 'of the knee', es: 'de la rodilla', words: ['knee', 'rodilla'] },
  ankle: { en: 'of the ankle', es: 'del tobillo', words: ['ankle', 'tobillo'] },
  foot: { en: 'of the foot', es: 'del pie', words: ['foot', 'pie'] },
};
