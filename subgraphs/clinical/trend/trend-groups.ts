/**
 * Measurements that belong together: LOINC codes of what is measured, in the order in which they are shown. The names are
 * those of the graph's `TrendGroup`.
 */
export const TREND_GROUPS: Readonly<Record<string, readonly string[]>> = {
  // Leukocytes, erythrocytes, haemoglobin, haematocrit, platelets
  bloodCount: ['6690-2', '26464-8', '789-8', '718-7', '4544-3', '20570-8', '777-3'],
  // Systolic and diastolic: components of the panels 85354-9 and 55284-4, or observations of their own
  bloodPressure: ['8480-6', '8462-4'],
  // Height, weight, body mass index
  bodySize: ['8302-2', '29463-7', '39156-5'],
  // Sodium, potassium, chloride, bicarbonate, calcium, in serum or blood
  electrolytes: [
    '2951-2',
    '2947-0',
    '2823-3',
    '6298-4',
    '2075-0',
    '2069-3',
    '1963-8',
    '2028-9',
    '20565-8',
    '17861-6',
    '49765-1',
  ],
  // Glucose in blood, in serum, fasting; haemoglobin A1c
  glucose: ['2339-0', '2345-7', '1558-6', '4548-4'],
  // Creatinine in serum and blood, urea nitrogen in both, estimated glomerular filtration rates
  kidneyFunction: ['2160-0', '38483-4', '3094-0', '6299-2', '33914-3', '62238-1', '98979-8'],
  // Total, HDL, LDL (calculated and direct), triglycerides
  lipids: ['2093-3', '2085-9', '13457-7', '18262-6', '2571-8'],
  // Alanine and aspartate aminotransferase, alkaline phosphatase, bilirubin, albumin
  liverFunction: ['1742-6', '1920-8', '6768-6', '1975-2', '1751-7'],
  // Heart rate, respiratory rate, temperature, oxygen saturation, blood pressure
  vitalSigns: ['8867-4', '9279-1', '8310-5', '2708-6', '59408-5', '8480-6', '8462-4'],
};

/** System of the codes. */
export const LOINC = 'http://loinc.org';
