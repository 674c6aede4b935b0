// Regular expressions in RE2's syntax, matched against whole texts in time linear in the text, as automata without captures.
// Source: RE2's syntax page; Thompson, "Regular Expression Search Algorithm", 1968.
import { AnychipError } from '../core/error.ts';
import { parsePattern } from './re2Syntax.ts';
import type { Holds, Pattern, Test } from './re2Syntax.ts';

type State =
  | { readonly kind: 'char'; readonly test: Test; readonly next: State }
  | { readonly kind: 'assert'; readonly holds: Holds; readonly next: State }
  | { readonly kind: 'fork'; readonly next: State[] }
  | { readonly kind: 'end' };

/** Counted repetitions are written out, so nested ones multiply. */
const MAX_STATES = 100_000;

function buildStates(pattern: Pattern, end: State): State {
  let count = 0;
  const add = <S extends State>(state: S): S => {
    if (++count > MAX_STATES) throw new AnychipError('limit', `a pattern of more than ${MAX_STATES} states`, { hint: 'Nested counted repetitions multiply; write them smaller.' });
    return state;
  };
  const star = (part: Pattern, next: State): State => {
    const fork = add({ kind: 'fork', next: [next] } as const satisfies State);
    const loop: State[] = fork.next;
    loop.push(build(part, fork));
    return fork;
  };
  const repeat = (part: Pattern, min: number, max: number, next: State): State => {
    let state = max === Infinity ? star(part, next) : next;
    for (let i = max === Infinity ? min : max; i > min; i--) state = add({ kind: 'fork', next: [build(part, state), next] });
    for (let i = 0; i < min; i++) state = build(part, state);
    return state;
  };
  const build = (node: Pattern, next: State): State => {
    switch (node.kind) {
      case 'char':
        return add({ kind: 'char', test: node.test, next });
      case 'assert':
        return add({ kind: 'assert', holds: node.holds, next });
      case 'sequence':
        return node.parts.reduceRight((state, part) => build(part, state), next);
      case 'choice':
        return add({ kind: 'fork', next: node.parts.map((part) => build(part, next)) });
      case 'repeat':
        return repeat(node.part, node.min, node.max, next);
    }
  };
  return build(pattern, end);
}

/** Adds `state` and all that it reaches without a character between `before` and `after`. */
function enter(states: Set<State>, state: State, before: number | undefined, after: number | undefined): void {
  const waiting = [state];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (states.has(at)) continue;
    states.add(at);
    if (at.kind === 'fork') waiting.push(...at.next);
    else if (at.kind === 'assert' && at.holds(before, after)) waiting.push(at.next);
  }
}

/** Whether a text matches `pattern` from its first to its last character. Throws `bad-model` for what is not RE2's syntax. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const end: State = { kind: 'end' };
  const start = buildStates(parsePattern(pattern), end);
  return (text) => {
    const points = Array.from(text, (c) => c.codePointAt(0)!);
    let states = new Set<State>();
    enter(states, start, undefined, points[0]);
    for (const [i, point] of points.entries()) {
      const next = new Set<State>();
      for (const state of states) if (state.kind === 'char' && state.test(point)) enter(next, state.next, point, points[i + 1]);
      states = next;
    }
    return states.has(end);
  };
}
