/** Runs in the threads of `AnalysisThreads` that make the rows of callers. */
export { makeReach as reach } from './reach-file.ts';
