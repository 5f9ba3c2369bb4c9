import { z } from 'zod';
import { isPlainKeyword } from '../dicom/dictionary.ts';
import { FHIR_ID } from '../fhir/fhir.ts';

/** Minutes between two looks whether the tables of analysts are still those of the data. */
const REFRESH_MINUTES = 15;

/** Key `analysis` of a tenant file. SQL on FHIR: tables of the record and the images. */
export const analysisFile = z
  .strictObject({
    enabled: z.boolean().default(false),
    source: z.enum(['record', 'bulk']).default('record'),
    group: z.string().regex(FHIR_ID, 'must be a FHIR id').optional(),
    refreshMinutes: z.number().min(1).max(10_080).default(REFRESH_MINUTES),
    views: z.array(z.string().min(1)).max(200).default([]),
    questions: z.array(z.string().min(1)).max(1000).default([]),
    instances: z.boolean().default(false),
    dicom: z
      .array(
        z
          .string()
          .refine(
            isPlainKeyword,
            'must be a DICOM keyword, such as SliceThickness, of texts, numbers or dates',
          )
          .refine((keyword) => !['Rows', 'Columns'].includes(keyword), 'is a column already'),
      )
      .max(64)
      .refine((keywords) => new Set(keywords).size === keywords.length, 'must not name a keyword twice')
      .default([]),
  })
  .default({
    enabled: false,
    source: 'record',
    refreshMinutes: REFRESH_MINUTES,
    views: [],
    questions: [],
    instances: false,
    dicom: [],
  });
