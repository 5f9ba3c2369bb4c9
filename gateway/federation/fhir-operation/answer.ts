/** The answer to an operation, as JSON has it. */
export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { path?: unknown[]; locations?: unknown }[];
}
