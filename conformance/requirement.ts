import type { Subject } from './subject.ts';

/** Strength of a requirement (RFC 2119). A failed MUST is a failure; a failed SHOULD or MAY is a warning. */
export type Level = 'MUST' | 'SHOULD' | 'MAY';

/** Values that only the user of the kit can give. */
export type Need = 'base' | 'patient' | 'otherPatient' | 'otherStudy' | 'narrowToken' | 'patientGrant';

/** One check of one requirement. A requirement can have several checks. */
export interface Check {
  /** Id of the requirement, such as `IA-7`. */
  id: string;
  /** Name of the check, unique among those of its requirement. */
  name: string;
  level: Level;
  /** The requirement as one sentence, without the words MUST, SHOULD and MAY. */
  sentence: string;
  /** The answer of a server that conforms. */
  expected: string;
  /** Without these the check is skipped. */
  needs?: readonly Need[];
  /**
   * Makes the requests.
   * @returns the answer that was found, if the server conforms
   * @throws Deviation, NotApplicable or Blocked otherwise
   */
  run(subject: Subject): Promise<string>;
}

export type Status = 'passed' | 'failed' | 'warning' | 'blocked' | 'skipped';

/** Result of a check, with texts that are safe to print. */
export interface Result extends Pick<Check, 'id' | 'name' | 'level' | 'sentence' | 'expected'> {
  status: Status;
  /** Method and URL of each request, without credentials. */
  requested: string[];
  found: string;
  milliseconds: number;
}
