/**
 * Plain names of measurements, by LOINC code: the vital signs, and what common laboratory panels have. A name says what
 * was measured, in words of everyday life; it says nothing about what the value means.
 */
export const OBSERVATIONS: Readonly<Record<string, { en: string; es: string }>> = {
  // Vital signs (FHIR R4 profile of vital signs), and their parts
  '85353-1': { en: 'Vital signs', es: 'Signos vitales' },
  '85354-9': { en: 'Blood pressure', es: 'Presión arterial' },
  '55284-4': { en: 'Blood pressure', es: 'Presión arterial' },
  '8480-6': { en: 'Blood pressure, upper value', es: 'Presión arterial, valor alto (máxima)' },
  '8462-4': { en: 'Blood pressure, lower value', es: 'Presión arterial, valor bajo (mínima)' },
  '8867-4': { en: 'Pulse', es: 'Pulso' },
  '9279-1': { en: 'Breaths per minute', es: 'Respiraciones por minuto' },
  '8310-5': { en: 'Body temperature', es: 'Temperatura' },
  '8331-1': { en: 'Body temperature (in the mouth)', es: 'Temperatura (en la boca)' },
  '2708-6': { en: 'Oxygen in the blood', es: 'Oxígeno en la sangre' },
  '59408-5': { en: 'Oxygen in the blood', es: 'Oxígeno en la sangre' },
  '29463-7': { en: 'Weight', es: 'Peso' },
  '8302-2': { en: 'Height', es: 'Estatura' },
  '9843-4': { en: 'Head size around', es: 'Contorno de la cabeza' },
  '39156-5': { en: 'Body mass index (BMI)', es: 'Índice de masa corporal (IMC)' },
  '59576-9': { en: 'Body mass index compared by age', es: 'Índice de masa corporal según la edad' },
  '72514-3': { en: 'Pain, from 0 to 10', es: 'Dolor, de 0 a 10' },
  '72166-2': { en: 'Smoking', es: 'Tabaquismo' },
  // Sugar
  '2339-0': { en: 'Blood sugar', es: 'Azúcar en la sangre' },
  '2345-7': { en: 'Blood sugar', es: 'Azúcar en la sangre' },
  '1558-6': { en: 'Blood sugar before eating', es: 'Azúcar en la sangre en ayunas' },
  '4548-4': { en: 'Average blood sugar (HbA1c)', es: 'Azúcar promedio en la sangre (HbA1c)' },
  // Kidneys
  '2160-0': { en: 'Creatinine (filtered by the kidneys)', es: 'Creatinina (la filtran los riñones)' },
  '38483-4': { en: 'Creatinine (filtered by the kidneys)', es: 'Creatinina (la filtran los riñones)' },
  '3094-0': { en: 'Urea (filtered by the kidneys)', es: 'Urea (la filtran los riñones)' },
  '6299-2': { en: 'Urea (filtered by the kidneys)', es: 'Urea (la filtran los riñones)' },
  '33914-3': { en: 'How fast the kidneys filter (eGFR)', es: 'Filtración de los riñones (TFG)' },
  '62238-1': { en: 'How fast the kidneys filter (eGFR)', es: 'Filtración de los riñones (TFG)' },
  '98979-8': { en: 'How fast the kidneys filter (eGFR)', es: 'Filtración de los riñones (TFG)' },
  '14959-1': { en: 'Protein in the urine (albumin)', es: 'Proteína en la orina (albúmina)' },
  '9318-7': { en: 'Protein in the urine (albumin)', es: 'Proteína en la orina (albúmina)' },
  // Fats
  '2093-3': { en: 'Cholesterol, all', es: 'Colesterol, total' },
  '2085-9': { en: 'Cholesterol, HDL part', es: 'Colesterol, parte HDL' },
  '13457-7': { en: 'Cholesterol, LDL part', es: 'Colesterol, parte LDL' },
  '18262-6': { en: 'Cholesterol, LDL part', es: 'Colesterol, parte LDL' },
  '2571-8': { en: 'Blood fats (triglycerides)', es: 'Grasas en la sangre (triglicéridos)' },
  // Salts
  '2951-2': { en: 'Salt in the blood: sodium', es: 'Sal en la sangre: sodio' },
  '2947-0': { en: 'Salt in the blood: sodium', es: 'Sal en la sangre: sodio' },
  '2823-3': { en: 'Salt in the blood: potassium', es: 'Sal en la sangre: potasio' },
  '6298-4': { en: 'Salt in the blood: potassium', es: 'Sal en la sangre: potasio' },
  '2075-0': { en: 'Salt in the blood: chloride', es: 'Sal en la sangre: cloruro' },
  '2069-3': { en: 'Salt in the blood: chloride', es: 'Sal en la sangre: cloruro' },
  '17861-6': { en: 'Calcium in the blood', es: 'Calcio en la sangre' },
  '49765-1': { en: 'Calcium in the blood', es: 'Calcio en la sangre' },
  // Blood count
  '718-7': { en: 'Red blood pigment (hemoglobin)', es: 'Pigmento de la sangre (hemoglobina)' },
  '4544-3': { en: 'Red cells, share of the blood', es: 'Glóbulos rojos, parte de la sangre' },
  '20570-8': { en: 'Red cells, share of the blood', es: 'Glóbulos rojos, parte de la sangre' },
  '789-8': { en: 'Red blood cells', es: 'Glóbulos rojos' },
  '6690-2': { en: 'White blood cells', es: 'Glóbulos blancos' },
  '26464-8': { en: 'White blood cells', es: 'Glóbulos blancos' },
  '777-3': { en: 'Platelets (clotting cells)', es: 'Plaquetas (células de la coagulación)' },
  // Liver
  '1742-6': { en: 'Liver enzyme ALT', es: 'Enzima del hígado ALT' },
  '1920-8': { en: 'Enzyme AST (liver and muscles)', es: 'Enzima AST (hígado y músculos)' },
  '6768-6': { en: 'Enzyme ALP (liver and bones)', es: 'Enzima FA (hígado y huesos)' },
  '1975-2': { en: 'Bile pigment (bilirubin)', es: 'Pigmento de la bilis (bilirrubina)' },
  '1751-7': { en: 'Protein in the blood: albumin', es: 'Proteína de la sangre: albúmina' },
  // Panels
  '51990-0': {
    en: 'Blood test: sugar, salts and kidneys',
    es: 'Análisis de sangre: azúcar, sales y riñones',
  },
  '24320-4': {
    en: 'Blood test: sugar, salts and kidneys',
    es: 'Análisis de sangre: azúcar, sales y riñones',
  },
  '24321-2': {
    en: 'Blood test: sugar, salts and kidneys',
    es: 'Análisis de sangre: azúcar, sales y riñones',
  },
  '24331-1': { en: 'Blood test: fats', es: 'Análisis de sangre: grasas' },
  '57698-3': { en: 'Blood test: fats', es: 'Análisis de sangre: grasas' },
  '58410-2': { en: 'Blood test: blood count', es: 'Análisis de sangre: hemograma' },
  '2885-2': { en: 'Protein in the blood', es: 'Proteínas de la sangre' },
};
