/** The server does not conform. The message says what was found. */
export class Deviation extends Error {}

/** The server, or the study, has nothing that the requirement is about. The message says why. */
export class NotApplicable extends Error {}

/** An answer that the check needs first is wrong. The check of that answer fails on its own. */
export class Blocked extends Error {}
