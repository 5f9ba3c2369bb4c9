import { Fault } from '../../../schema/fault/fault.ts';

/** One mistake in a ViewDefinition. */
export interface Finding {
  /** Place in the definition: `select[0].column[2].path`; empty for the definition itself. */
  path: string;
  message: string;
}

/** A ViewDefinition that cannot be used. Its message has all findings, a line each. */
export class ViewDefinitionError extends Fault {
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    super('invalid_request', findings.map(lineOf).join('\n'));
    this.name = 'ViewDefinitionError';
    this.findings = findings;
  }
}

/** A value of one resource that a view cannot take: several values for one column, or a value of another type. */
export class ViewValueError extends Fault {
  /** @param path place of the column or condition in the definition */
  constructor(path: string, message: string) {
    super('invalid_request', lineOf({ path, message }));
    this.name = 'ViewValueError';
  }
}

/** A mistake in an expression, without its place. */
export class ExpressionError extends Error {}

const lineOf = ({ path, message }: Finding): string => (path === '' ? message : `${path}: ${message}`);
