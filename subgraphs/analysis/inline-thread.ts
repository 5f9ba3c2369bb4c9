/** Runs in the threads of `AnalysisThreads` that make the tables of requests. */
export { makeInline as inline } from './inline-tables.ts';
