/** A piece of work that is measured from its beginning to its end. */
export interface Measured<End> {
  /** Does the work. Requests that it sends, and pieces that it begins, belong to this one. */
  run<Answer>(work: () => Answer): Answer;
  /** Is called once, when the work has ended. */
  end(end: End): void;
}
