// The syntax of RE2's regular expressions: text to a tree. What only matters for captures (names, greed) is read and let go.
import { AnychipError } from '../core/error.ts';

/** Whether a code point is meant. */
export type Test = (point: number) => boolean;
/** Whether a place between two code points is meant; undefined is an end of the text. */
export type Holds = (before: number | undefined, after: number | undefined) => boolean;
export type Pattern =
  | { readonly kind: 'char'; readonly test: Test }
  | { readonly kind: 'assert'; readonly holds: Holds }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly min: number; readonly max: number };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly U: boolean;
}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 1000;

const inRanges =
  (...ranges: readonly string[]): Test =>
  (point) =>
    ranges.some((range) => point >= range.charCodeAt(0) && point <= range.charCodeAt(1));
const not =
  (test: Test): Test =>
  (point) =>
    !test(point);
const either =
  (tests: readonly Test[]): Test =>
  (point) =>
    tests.some((test) => test(point));

const [digit, space, word] = [inRanges('09'), inRanges('\t\n', '\f\r', '  '), inRanges('09', 'AZ', 'az', '__')];
const perl: Readonly<Record<string, Test>> = { d: digit, D: not(digit), s: space, S: not(space), w: word, W: not(word) };
const posix: Readonly<Record<string, Test>> = {
  alnum: inRanges('09', 'AZ', 'az'),
  alpha: inRanges('AZ', 'az'),
  ascii: inRanges('\0\x7f'),
  blank: inRanges('\t\t', '  '),
  cntrl: inRanges('\0\x1f', '\x7f\x7f'),
  digit,
  graph: inRanges('!~'),
  lower: inRanges('az'),
  print: inRanges(' ~'),
  punct: inRanges('!/', ':@', '[`', '{~'),
  space: inRanges('\t\r', '  '),
  upper: inRanges('AZ'),
  word,
  xdigit: inRanges('09', 'AF', 'af'),
};
const controls: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

const NEWLINE = 10;
const atBoundary: Holds = (before, after) => (before !== undefined && word(before)) !== (after !== undefined && word(after));
const places: Readonly<Record<string, Holds>> = {
  A: (before) => before === undefined,
  z: (_, after) => after === undefined,
  b: atBoundary,
  B: (before, after) => !atBoundary(before, after),
};

/** The tree of a pattern; throws `bad-model`. */
export const parsePattern = (text: string): Pattern => new Parser(text).parse();

class Parser {
  readonly #text: string;
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#chars = Array.from(text);
  }

  parse(): Pattern {
    const pattern = this.#choice({ i: false, m: false, s: false, U: false });
    return this.#at < this.#chars.length ? this.#fail("a ')' without its '('") : pattern;
  }

  #fail(reason: string): never {
    throw new AnychipError('bad-model', `the pattern ${JSON.stringify(this.#text)} has ${reason}`, { hint: "Patterns are in RE2's syntax.", facts: { position: this.#at } });
  }
  get #next(): string | undefined {
    return this.#chars[this.#at];
  }
  /** The next character, taken. */
  #take(): string {
    return this.#chars[this.#at++] ?? this.#fail('an end where more is needed');
  }
  #skip(text: string): boolean {
    const found = this.#chars.slice(this.#at, this.#at + text.length).join('') === text;
    if (found) this.#at += text.length;
    return found;
  }
  /** Everything up to `end`, which is taken too. */
  #until(end: string): string {
    const from = this.#at;
    while (!this.#skip(end)) this.#take();
    return this.#chars.slice(from, this.#at - end.length).join('');
  }

  /** Flags set inside count to the end of the group. */
  #choice(flags: Flags): Pattern {
    if (++this.#depth > MAX_DEPTH) this.#fail(`groups nested more than ${MAX_DEPTH} deep`);
    const choices: Pattern[][] = [[]];
    let now = flags;
    while (this.#next !== undefined && this.#next !== ')') {
      if (this.#skip('|')) choices.push([]);
      else if (this.#skip('\\Q')) {
        const parts = Array.from(this.#literal(), (char) => this.#char(char.codePointAt(0)!, now));
        choices.at(-1)!.push(...parts.slice(0, -1), ...parts.slice(-1).map((last) => this.#repeated(last)));
      } else {
        const part = this.#group(now);
        if ('U' in part) now = part;
        else choices.at(-1)!.push(this.#repeated(part));
      }
    }
    this.#depth--;
    const parts = choices.map((list): Pattern => (list.length === 1 ? list[0]! : { kind: 'sequence', parts: list }));
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  /** Text up to \E, or to the end. */
  #literal(): string {
    const rest = this.#chars.slice(this.#at).join('');
    const end = rest.indexOf('\\E');
    const text = end < 0 ? rest : rest.slice(0, end);
    this.#at += Array.from(text).length + (end < 0 ? 0 : 2);
    return text;
  }

  #repeated(part: Pattern): Pattern {
    let result = part;
    for (let first = true; ; first = false) {
      const range = this.#range();
      if (range === undefined) return result;
      if (!first) this.#fail('a repetition of a repetition');
      this.#skip('?');
      result = { kind: 'repeat', part, ...range };
    }
  }

  /** How often; a '{' that begins no count is a character. */
  #range(): { readonly min: number; readonly max: number } | undefined {
    if (this.#skip('*')) return { min: 0, max: Infinity };
    if (this.#skip('+')) return { min: 1, max: Infinity };
    if (this.#skip('?')) return { min: 0, max: 1 };
    const [all, low, comma, high] = /^\{(\d+)(,?)(\d*)\}/.exec(this.#chars.slice(this.#at, this.#at + 32).join('')) ?? [];
    if (all === undefined || (comma === '' && high !== '')) return undefined;
    this.#at += all.length;
    const min = Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Infinity) || max < min) this.#fail(`the repetition ${all}`);
    return { min, max };
  }

  /** A group, or the flags that one sets for what follows. */
  #group(flags: Flags): Pattern | Flags {
    if (!this.#skip('(')) return this.#single(flags);
    let inner = flags;
    if (this.#skip('?P<') || this.#skip('?<')) {
      if (!/^\w+$/.test(this.#until('>'))) this.#fail('a group with a bad name');
    } else if (this.#skip('?')) {
      inner = this.#flags(flags);
      if (this.#take() === ')') return inner;
    }
    const group = this.#choice(inner);
    return this.#skip(')') ? group : this.#fail("a '(' without its ')'");
  }

  /** Up to the ':' or ')' that ends them. */
  #flags(flags: Flags): Flags {
    let [result, value] = [flags, true];
    while (this.#next !== ':' && this.#next !== ')') {
      const name = this.#take();
      if (name === '-' && value) value = false;
      else if (name === 'i' || name === 'm' || name === 's' || name === 'U') result = { ...result, [name]: value };
      else this.#fail(`the flag '${name}'`);
    }
    return result;
  }

  #single(flags: Flags): Pattern {
    const char = this.#take();
    switch (char) {
      case '.':
        return { kind: 'char', test: flags.s ? () => true : (point) => point !== NEWLINE };
      case '^':
        return { kind: 'assert', holds: (before) => before === undefined || (flags.m && before === NEWLINE) };
      case '$':
        return { kind: 'assert', holds: (_, after) => after === undefined || (flags.m && after === NEWLINE) };
      case '[':
        return { kind: 'char', test: this.#class(flags) };
      case '*':
      case '+':
      case '?':
        return this.#fail(`a '${char}' with nothing to repeat`);
      case '\\': {
        const holds = Object.hasOwn(places, this.#next ?? '') ? places[this.#take()] : undefined;
        if (holds !== undefined) return { kind: 'assert', holds };
        const escape = this.#escape();
        return typeof escape === 'number' ? this.#char(escape, flags) : { kind: 'char', test: this.#cased(escape, flags) };
      }
      default:
        return this.#char(char.codePointAt(0)!, flags);
    }
  }

  #char(point: number, flags: Flags): Pattern {
    return { kind: 'char', test: this.#cased((other) => other === point, flags) };
  }

  /** Without regard to case, a character is any of its forms. */
  #cased(test: Test, flags: Flags): Test {
    if (!flags.i) return test;
    return (point) => {
      const char = String.fromCodePoint(point);
      return test(point) || [char.toLowerCase(), char.toUpperCase(), char.toUpperCase().toLowerCase()].some((form) => Array.from(form).length === 1 && test(form.codePointAt(0)!));
    };
  }

  /** After the backslash: one code point, or a class of them. */
  #escape(): number | Test {
    const char = this.#take();
    const known = Object.hasOwn(perl, char) ? perl[char] : Object.hasOwn(controls, char) ? controls[char] : undefined;
    if (known !== undefined) return known;
    if (char === 'p' || char === 'P') return this.#unicode(char === 'P');
    if (char === 'x') {
      const digits = this.#skip('{') ? this.#until('}') : this.#take() + this.#take();
      return /^[\da-f]{1,6}$/i.test(digits) && Number.parseInt(digits, 16) <= 0x10ffff ? Number.parseInt(digits, 16) : this.#fail(`the code '\\x${digits}'`);
    }
    const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(this.#chars.slice(this.#at - 1, this.#at + 2).join(''))?.[0];
    if (octal !== undefined) {
      this.#at += octal.length - 1;
      return Number.parseInt(octal, 8);
    }
    return /[\dA-Za-z]/.test(char) ? this.#fail(`the escape '\\${char}'`) : char.codePointAt(0)!;
  }

  #unicode(outside: boolean): Test {
    const given = this.#skip('{') ? this.#until('}') : this.#take();
    const name = given.replace(/^\^/, '');
    const members = unicodeClass(name) ?? this.#fail(`the class '${name}', which Unicode has not`);
    return outside === given.startsWith('^') ? members : not(members);
  }

  #class(flags: Flags): Test {
    const outside = this.#skip('^');
    const tests: Test[] = [];
    for (let first = true; first || this.#next !== ']'; first = false) {
      const low = this.#member();
      if (typeof low !== 'number') tests.push(low);
      else if (this.#next === '-' && this.#chars[this.#at + 1] !== ']') {
        this.#take();
        const high = this.#member();
        if (typeof high !== 'number' || high < low) return this.#fail('a range that ends before it begins');
        tests.push((point) => point >= low && point <= high);
      } else tests.push((point) => point === low);
    }
    this.#take();
    const members = this.#cased(either(tests), flags);
    return outside ? not(members) : members;
  }

  #member(): number | Test {
    if (this.#skip('[:')) {
      const given = this.#until(':]');
      const name = given.replace(/^\^/, '');
      const members = Object.hasOwn(posix, name) ? posix[name]! : this.#fail(`the class [:${given}:]`);
      return given.startsWith('^') ? not(members) : members;
    }
    return this.#skip('\\') ? this.#escape() : this.#take().codePointAt(0)!;
  }
}

/** A general category or a script by its Unicode name; undefined when there is none. */
function unicodeClass(name: string): Test | undefined {
  if (name === 'Any') return () => true;
  for (const property of [name, `Script=${name}`]) {
    try {
      const members = new RegExp(`^\\p{${property}}$`, 'u');
      return (point) => members.test(String.fromCodePoint(point));
    } catch {
      continue;
    }
  }
  return undefined;
}
