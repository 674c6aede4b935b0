// What a vendor's headers must say for a row of the driver table to be right, as claims that a C++ compiler decides one by one.
// It writes the text and reads what the compiler answers; it runs nothing.
import { compilerCalls, driverCalls } from './table.ts';
import type { DriverTable, OperandType, Spelling } from './table.ts';

/** Headers of a vendor, and the names and numbers in them that a row relies on. */
export interface AbiPart {
  readonly headers: readonly string[];
  /** Macros that the headers want. */
  readonly defines?: readonly string[];
  /** Which functions of the row they declare. */
  readonly declares: 'driver' | 'compiler' | 'nothing';
  /** Enumerators and macros. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Bytes of types. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Bytes before a field: `struct.field`. */
  readonly offsets?: Readonly<Record<string, number>>;
}

export interface Claim {
  /** For people: 'cuMemAlloc_v2(pointer, size)', 'CUDA_ERROR_NO_DEVICE = 100'. */
  readonly what: string;
  readonly holds: string;
  /** A type whose name, when a compiler complains about it, tells what the header has instead. */
  readonly shows: string;
}

const letters: { readonly [T in OperandType]: string } = { u32: 'u', size: 's', pointer: 'p' };

function functionClaim({ symbol, args, answers }: Spelling, operands: Readonly<Record<string, OperandType>>): Claim {
  const types = args.map((arg) => (typeof arg === 'string' ? operands[arg]! : arg.type));
  const answer = answers === 'text' ? 'p' : 'u';
  return {
    what: `${symbol}(${types.join(', ')})${answers === 'text' ? ', which answers a text' : ''}`,
    holds: `takes(&${symbol}, "${answer}${types.map((type) => letters[type]).join('')}")`,
    shows: `Shown<decltype(&${symbol})>`,
  };
}

const numberClaim = (expression: string, value: number): Claim => ({
  what: `${expression} = ${value}`,
  holds: `(long long)(${expression}) == ${value}`,
  shows: `Counted<(long long)(${expression})>`,
});

type Signatures = Readonly<Record<string, Readonly<Record<string, OperandType>>>>;
const functionClaims = (signatures: Signatures, spellings: Readonly<Record<string, Spelling | undefined>>): Claim[] =>
  Object.entries(spellings).flatMap(([call, spelling]) => (spelling === undefined ? [] : [functionClaim(spelling, signatures[call]!)]));

/** Everything that a row takes these headers to say. */
export function claimsOf(part: AbiPart, table: DriverTable): readonly Claim[] {
  const { numbers, sizes, offsets = {}, declares } = part;
  const functions =
    declares === 'driver' ? functionClaims(driverCalls, table.calls) : declares === 'compiler' ? functionClaims(compilerCalls, table.compiler.library?.calls ?? {}) : [];
  const errors = declares === 'driver' ? Object.entries(table.errors).map(([status, { name }]) => numberClaim(name, Number(status))) : [];
  return [
    ...functions,
    ...Object.entries(numbers).map(([name, value]) => numberClaim(name, value)),
    ...errors,
    ...Object.entries(sizes).map(([type, bytes]) => numberClaim(`sizeof(${type})`, bytes)),
    ...Object.entries(offsets).map(([field, bytes]) => numberClaim(`offsetof(${field.replace('.', ', ')})`, bytes)),
  ];
}

// A 64-bit integer may stand for an address: some headers have handles that are.
const HEAD = `#include <cstddef>
template<class T> struct Letter { static constexpr char value = sizeof(T) == 4 ? 'u' : 's'; };
template<class T> struct Letter<T *> { static constexpr char value = 'p'; };
template<class R, class... A> constexpr bool takes(R (*)(A...), const char *letters) {
  const char found[] = { Letter<R>::value, Letter<A>::value..., 0 };
  int i = 0;
  while (found[i] && (found[i] == letters[i] || (found[i] == 's' && letters[i] == 'p'))) i++;
  return found[i] == letters[i];
}
template<class T> struct Shown; template<long long N> struct Counted;
`;

/** C++ in which claim i stands alone on line `firstLine + i`; `ask`: whether each holds, or what the header has instead. */
export function probeText(part: AbiPart, claims: readonly Claim[], ask: 'holds' | 'shows'): { readonly text: string; readonly firstLine: number } {
  const head = [...(part.defines ?? []).map((name) => `#define ${name.replace('=', ' ')}`), ...part.headers.map((name) => `#include <${name}>`), HEAD].join('\n');
  const lines = claims.map((claim, i) => (ask === 'holds' ? `static_assert(${claim.holds}, "");` : `${claim.shows} shown_${i};`));
  return { text: `${head}\n${lines.join('\n')}\n`, firstLine: head.split('\n').length + 1 };
}

/** The claims that a compiler complained about, each with its first complaint. */
export function complaintsIn(output: string, claims: readonly Claim[], firstLine: number): ReadonlyMap<Claim, string> {
  const found = new Map<Claim, string>();
  for (const [, line, message] of output.matchAll(/^<stdin>:(\d+):\d+: error: (.*)$/gm)) {
    const claim = claims[Number(line) - firstLine];
    if (claim !== undefined && !found.has(claim)) found.set(claim, message!);
  }
  return found;
}
