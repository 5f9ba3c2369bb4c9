import { parseFhirJson, writeFhirJson } from '../../../schema/fhir/decimal.ts';

/** The data of an answer, written already. Apollo Server passes it through. */
export class WrittenData {
  /** JSON of an object. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Returns the data as values; decimals that a number would change are marked. */
  values(): Record<string, unknown> {
    return parseFhirJson(this.text) as Record<string, unknown>;
  }

  /** For `JSON.stringify`. */
  toJSON(): unknown {
    return this.values();
  }
}

/** Writes the members of an answer as JSON, with data that were written already as they are. */
export function answerText(members: object): string {
  const parts = Object.entries(members).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return [];
    return [`"${name}":${value instanceof WrittenData ? value.text : writeFhirJson(value)}`];
  });
  return `{${parts.join(',')}}`;
}
