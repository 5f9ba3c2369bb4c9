/** Questions that SQL answers over all patients that the token opens. */
export interface SqlExample {
  question: string;
  hint: string;
  sql: string;
  /** Values of its parameters. */
  parameters?: Readonly<Record<string, string>>;
}

export const SQL_EXAMPLES: readonly SqlExample[] = [
  {
    question: 'How many studies of each modality are there in each year?',
    hint: 'Choose “Pivot” or “Chart” in the results.',
    sql: `SELECT modality, year(started) AS year, count(*) AS studies
FROM imaging_study
GROUP BY modality, year(started)
ORDER BY year, modality`,
  },
  {
    question: 'Which women with a diagnosis had a CT, and what was their last HbA1c?',
    hint: 'Record and images in one statement. “:code” is a parameter. A study opens in the viewer, in a tab of its own, where you sign in for its patient.',
    sql: `WITH a1c AS (
  SELECT patient_id, arg_max(value, effective) AS last
  FROM observation
  WHERE code = '4548-4'
  GROUP BY patient_id
)
SELECT s.id AS study_id, s.patient_id, s.started, p.birth_date, a1c.last AS hba1c
FROM imaging_study s
JOIN patient p ON p.id = s.patient_id
JOIN a1c ON a1c.patient_id = s.patient_id
WHERE s.modality = 'CT' AND p.gender = 'female'
  AND p.id IN (SELECT patient_id FROM condition WHERE code = :code)
ORDER BY s.started DESC`,
    parameters: { code: '44054006' },
  },
  {
    question: 'Which diagnoses are the most frequent?',
    hint: 'A patient counts once for each code. Codes of SNOMED CT only: a diagnosis may have others besides.',
    sql: `SELECT display AS diagnosis, count(DISTINCT patient_id) AS patients
FROM condition
WHERE system = 'http://snomed.info/sct'
GROUP BY display
ORDER BY patients DESC
LIMIT 20`,
  },
  {
    question: 'How is a laboratory value spread over age and sex?',
    hint: 'Decades of life, with the median of each. 2160-0 is creatinine.',
    sql: `SELECT p.gender, 10 * (date_diff('year', p.birth_date, o.effective) // 10) AS decade,
  count(*) AS n, median(o.value) AS median, any_value(o.unit) AS unit
FROM observation o
JOIN patient p ON p.id = o.patient_id
WHERE o.code = :code AND o.value IS NOT NULL
GROUP BY ALL
ORDER BY ALL`,
    parameters: { code: '2160-0' },
  },
  {
    question: 'How many series and images does each study have?',
    hint: 'The newest first.',
    sql: `SELECT id AS study_id, patient_id, started, description, modality, series, instances
FROM imaging_study
ORDER BY started DESC`,
  },
];
