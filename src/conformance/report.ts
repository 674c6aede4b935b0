// What a conformance run says, in the form `conformance --json` prints.

export type Outcome =
  | { readonly kind: 'passed'; /** Every node ran on the device, none on the host. */ readonly onDevice: boolean; readonly largest: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'skipped'; readonly reason: string };

export interface CaseResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly millis: number;
}

export interface ConformanceReport {
  readonly device: string;
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Passed cases in which no node ran on the host. */
  readonly onDevice: number;
  readonly failures: readonly { readonly name: string; readonly code: string; readonly message: string }[];
}

export function reportOf(device: string, results: readonly CaseResult[]): ConformanceReport {
  const count = (kind: Outcome['kind']): number => results.filter(({ outcome }) => outcome.kind === kind).length;
  return {
    device,
    total: results.length,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    onDevice: results.filter(({ outcome }) => outcome.kind === 'passed' && outcome.onDevice).length,
    failures: results.flatMap(({ name, outcome }) => (outcome.kind === 'failed' ? [{ name, code: outcome.code, message: outcome.message }] : [])),
  };
}
