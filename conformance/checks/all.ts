import type { Check } from '../requirement.ts';
import { CAPABILITY_STATEMENT } from './capability-statement.ts';
import { CROSS_ORIGIN } from './cross-origin.ts';
import { ENDPOINT } from './endpoint.ts';
import { FRAMES_AND_RENDERED } from './frames-and-rendered.ts';
import { IMAGING_CAPABILITIES } from './imaging-capabilities.ts';
import { GRANT } from './grant.ts';
import { BUNDLE_FORM, STUDY_SEARCH } from './imaging-study-search.ts';
import { STUDY_CONTENT } from './imaging-study.ts';
import { METADATA } from './metadata.ts';
import { QIDO_RS } from './qido-rs.ts';
import { SMART_CONFIGURATION } from './smart-configuration.ts';
import { TOKENS } from './tokens.ts';
import { OBJECTS, RETRIEVAL_RULES } from './wado-rs.ts';

/** Every check, in the order in which they run. */
export const ALL_CHECKS: readonly Check[] = [
  SMART_CONFIGURATION,
  IMAGING_CAPABILITIES,
  CAPABILITY_STATEMENT,
  CROSS_ORIGIN,
  TOKENS,
  GRANT,
  STUDY_SEARCH,
  BUNDLE_FORM,
  STUDY_CONTENT,
  ENDPOINT,
  QIDO_RS,
  OBJECTS,
  RETRIEVAL_RULES,
  METADATA,
  FRAMES_AND_RENDERED,
].flat();
