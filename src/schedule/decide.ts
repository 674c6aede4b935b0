// What a schedule leaves to measurement: a choice among ways to compute the same, as data. The ways are in the order in which a model of
// the machine thinks them fast; who decides may know better.

export interface Question {
  /** The same for the same work on the same kind of machine. */
  readonly key: string;
  /** A text for each way, the best first. Equal texts mean equal kernels. */
  readonly ways: readonly string[];
}

/** The position of the way to take. */
export type Decide = (question: Question) => number;

export const decideByModel: Decide = () => 0;
