// What a number that a vendor's runtime answered means, for people who have only the number.
export { findReported } from '../targets/reported.ts';
export type { ReportedError } from '../targets/reported.ts';
