/** Diseases, medicines and studies of the invented population. The frequencies are plausible, not those of a place. */

/** A person, as far as frequencies depend on it. */
export interface Traits {
  sex: 'female' | 'male';
  /** Years at the end of the record. */
  age: number;
  /** kg/m². */
  bmi: number;
  smokes: boolean;
}

/** A kind of study, and how often it is chosen among others. */
export interface StudyKind {
  weight: number;
  modality: 'CT' | 'MR' | 'CR' | 'US' | 'MG';
  description: string;
  /** Body Part Examined (PS3.16 annex L). */
  bodyPart: string;
  /** The reason for which it is ordered. */
  reason: string;
  /** The conclusion of its report. */
  finding: string;
}

/** A diagnosis, with what follows from it. */
export interface Disease {
  key: string;
  /** SNOMED CT. */
  code: string;
  display: string;
  /** ICD-10-CM. */
  icd: string;
  /** Returns the probability that a person has it, and has `others`. */
  probability(traits: Traits, others: ReadonlySet<string>): number;
  /** RxNorm code and name of medicines of which patients take the first, and often more. */
  medications: readonly (readonly [code: string, name: string])[];
  studies: readonly StudyKind[];
}

const between = (value: number) => Math.min(0.9, Math.max(0, value));
const study = (
  weight: number,
  modality: StudyKind['modality'],
  [description, bodyPart]: readonly [string, string],
  [reason, finding]: readonly [string, string],
): StudyKind => ({ weight, modality, description, bodyPart, reason, finding });

/** In this order: later ones depend on earlier ones. */
export const DISEASES: readonly Disease[] = [
  {
    key: 'diabetes',
    code: '44054006',
    display: 'Diabetes mellitus type 2',
    icd: 'E11.9',
    probability: ({ age, bmi }) => between((age - 30) * 0.0035 + (bmi - 25) * 0.018),
    medications: [
      ['861007', 'metformin hydrochloride 500 MG Oral Tablet'],
      ['310534', 'glyburide 2.5 MG Oral Tablet'],
    ],
    studies: [
      study(3, 'CR', ['Foot left, two views', 'FOOT'], ['Diabetic foot ulcer', 'No sign of osteomyelitis.']),
      study(
        2,
        'US',
        ['Arteries of both legs', 'LEG'],
        ['Weak pulses of the feet', 'Plaques without stenosis.'],
      ),
      study(2, 'CT', ['CT abdomen and pelvis with contrast', 'ABDOMEN'], ['Abdominal pain', 'Fatty liver.']),
    ],
  },
  {
    key: 'hypertension',
    code: '59621000',
    display: 'Essential hypertension',
    icd: 'I10',
    probability: ({ age, bmi }, others) =>
      between((age - 25) * 0.009 + (bmi - 25) * 0.01 + (others.has('diabetes') ? 0.2 : 0)),
    medications: [
      ['314076', 'lisinopril 10 MG Oral Tablet'],
      ['197361', 'amlodipine 5 MG Oral Tablet'],
    ],
    studies: [study(2, 'US', ['Kidneys', 'KIDNEY'], ['Resistant hypertension', 'Kidneys of normal size.'])],
  },
  {
    key: 'kidney',
    code: '433144002',
    display: 'Chronic kidney disease stage 3',
    icd: 'N18.30',
    probability: ({ age }, others) =>
      between((age - 55) * 0.004) +
      (others.has('diabetes') ? 0.15 : 0) +
      (others.has('hypertension') ? 0.04 : 0),
    medications: [['310798', 'hydrochlorothiazide 25 MG Oral Tablet']],
    studies: [
      study(5, 'US', ['Kidneys', 'KIDNEY'], ['Falling kidney function', 'Kidneys smaller than normal.']),
    ],
  },
  {
    key: 'copd',
    code: '13645005',
    display: 'Chronic obstructive pulmonary disease',
    icd: 'J44.9',
    probability: ({ age, smokes }) => between((age - 45) * (smokes ? 0.011 : 0.0008)),
    medications: [
      [
        '896209',
        '60 ACTUAT Fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler',
      ],
    ],
    studies: [
      study(
        5,
        'CR',
        ['Chest, two views', 'CHEST'],
        ['Cough and fever', 'Hyperinflated lungs, no infiltrate.'],
      ),
      study(
        5,
        'CT',
        ['CT chest without contrast', 'CHEST'],
        ['Screening for lung cancer', 'Emphysema. No nodule.'],
      ),
    ],
  },
  {
    key: 'coronary',
    code: '53741008',
    display: 'Coronary arteriosclerosis',
    icd: 'I25.10',
    probability: ({ age, sex, smokes }, others) =>
      between(
        (age - 50) * (sex === 'male' ? 0.006 : 0.003) +
          (others.has('diabetes') ? 0.06 : 0) +
          (smokes ? 0.05 : 0),
      ),
    medications: [
      ['617311', 'atorvastatin 40 MG Oral Tablet'],
      ['243670', 'aspirin 81 MG Oral Tablet'],
    ],
    studies: [
      study(
        4,
        'CT',
        ['CT angiography of the coronary arteries', 'HEART'],
        ['Chest pain', 'Plaques, no stenosis above 50 %.'],
      ),
      study(
        2,
        'MR',
        ['MR heart with contrast', 'HEART'],
        ['Vitality of the myocardium', 'No late enhancement.'],
      ),
    ],
  },
  {
    key: 'stroke',
    code: '422504002',
    display: 'Ischemic stroke',
    icd: 'I63.9',
    probability: ({ age }, others) => between((age - 60) * 0.002) + (others.has('hypertension') ? 0.02 : 0),
    medications: [['309362', 'clopidogrel 75 MG Oral Tablet']],
    studies: [
      study(6, 'CT', ['CT head without contrast', 'HEAD'], ['Weakness of one side', 'No bleeding.']),
      study(6, 'MR', ['MR brain', 'BRAIN'], ['Stroke', 'Small infarct of the basal ganglia.']),
    ],
  },
  {
    key: 'breast-cancer',
    code: '254837009',
    display: 'Malignant neoplasm of breast',
    icd: 'C50.919',
    probability: ({ age, sex }) => (sex === 'female' ? between((age - 40) * 0.0016) : 0),
    medications: [['199224', 'anastrozole 1 MG Oral Tablet']],
    studies: [
      study(
        8,
        'MG',
        ['Mammography of both breasts', 'BREAST'],
        ['Follow-up of breast cancer', 'No sign of recurrence.'],
      ),
      study(4, 'CT', ['CT chest and abdomen with contrast', 'CHEST'], ['Staging', 'No metastasis.']),
      study(
        3,
        'MR',
        ['MR both breasts with contrast', 'BREAST'],
        ['Extent of a carcinoma', 'One enhancing mass.'],
      ),
    ],
  },
  {
    key: 'knee',
    code: '239873007',
    display: 'Osteoarthritis of knee',
    icd: 'M17.9',
    probability: ({ age, bmi }) => between((age - 45) * 0.006 + (bmi - 27) * 0.01),
    medications: [['198013', 'naproxen 250 MG Oral Tablet']],
    studies: [
      study(5, 'CR', ['Knee right, two views', 'KNEE'], ['Pain of the knee', 'Narrow medial joint space.']),
      study(3, 'MR', ['MR knee right', 'KNEE'], ['Locking of the knee', 'Tear of the medial meniscus.']),
    ],
  },
  {
    key: 'asthma',
    code: '195967001',
    display: 'Asthma',
    icd: 'J45.909',
    probability: ({ age }) => (age < 45 ? 0.12 : 0.06),
    medications: [['745679', 'albuterol 0.09 MG/ACTUAT Metered Dose Inhaler']],
    studies: [study(3, 'CR', ['Chest, two views', 'CHEST'], ['Shortness of breath', 'Clear lungs.'])],
  },
];

/** Studies of people for whatever reason. */
export const USUAL_STUDIES: readonly StudyKind[] = [
  study(4, 'CR', ['Chest, two views', 'CHEST'], ['Before an operation', 'Normal heart and lungs.']),
  study(2, 'CR', ['Wrist left, two views', 'WRIST'], ['Fall', 'No fracture.']),
  study(3, 'US', ['Ultrasound of the abdomen', 'ABDOMEN'], ['Abdominal pain', 'Normal organs.']),
  study(1, 'CT', ['CT head without contrast', 'HEAD'], ['Headache', 'Normal brain.']),
  study(2, 'MR', ['MR lumbar spine', 'LSPINE'], ['Back pain', 'Disc protrusion at L4/L5.']),
];

/** Screening of women from 45 to 74. */
export const SCREENING = study(
  9,
  'MG',
  ['Screening mammography', 'BREAST'],
  ['Screening', 'No suspicious finding.'],
);

export const FAMILIES = (
  'Abara Adler Bauer Bellini Brandt Castro Chen Costa Dahl Diaz Dubois Eriksen Farah Ferrari Garcia Haas Hansen Ibrahim ' +
  'Ito Jansen Kaya Keller Kim Kowalski Larsen Lopez Marino Mensah Meyer Moreau Nakamura Nguyen Novak Okoye Olsen Patel ' +
  'Pereira Petrov Quinn Ramos Ricci Rossi Saito Santos Sato Schmidt Silva Singh Torres Varga Weber Wolf Yilmaz Zhang'
).split(' ');
export const GIVEN = {
  female:
    'Aisha Alma Ana Carla Clara Dina Elena Elif Emma Fatima Grace Hana Ines Ingrid Julia Kavya Laura Leila Lucia Mei Mia Nadia Nora Olga Paula Rosa Sara Sofia Yuki Zoe',
  male: 'Adam Ali Bruno Carlos Daniel David Emil Felix Hugo Ivan Jan Jonas Kenji Leo Luis Marco Mateo Milan Noah Omar Otto Pavel Pedro Rafael Ravi Samuel Tomas Viktor Wei Yusuf',
};
