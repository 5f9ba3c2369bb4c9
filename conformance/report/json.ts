import type { Report } from '../run.ts';

/** Returns a report as JSON, with two spaces of indentation. */
export const jsonReport = (report: Report): string => `${JSON.stringify(report, undefined, 2)}\n`;
