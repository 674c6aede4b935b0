// Text: the specification's own examples in other words, and RE2's syntax against what it means.
import { describe, expect, it } from 'vitest';
import { intTensor, stringTensor, tensorFrom, toNumbers, toStrings } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { compilePattern } from '../../src/reference/re2.ts';
import type { Call } from './rules.ts';
import { numbers, reference } from './rules.ts';

const text = (...texts: string[]) => stringTensor([texts.length], texts);

describe('StringNormalizer', () => {
  const normalize = (attrs: Call<'StringNormalizer'>['attrs'], x: ReturnType<typeof stringTensor>) => reference({ op: 'StringNormalizer', attrs: attrs ?? {}, inputs: [x] })[0];
  it('drops stop words, with or without regard to case', () => {
    expect(normalize({ stopwords: ['Monday'], is_case_sensitive: 1 }, text('monday', 'Monday', 'May'))).toEqual(text('monday', 'May'));
    expect(normalize({ stopwords: ['Monday'], case_change_action: 'UPPER' }, text('monday', 'Monday', 'May'))).toEqual(text('MAY'));
  });
  it('gives one empty text when nothing is left, and takes no matrix', () => {
    expect(normalize({ stopwords: ['a'] }, stringTensor([1, 2], ['a', 'A']))).toEqual(stringTensor([1, 1], ['']));
    expect(() => normalize({}, stringTensor([2, 1], ['a', 'b']))).toThrow(/\[2, 1\]/);
  });
  it('changes case by the rules of a locale', () => {
    expect(normalize({ case_change_action: 'UPPER', locale: 'tr_TR.UTF-8' }, text('i'))).toEqual(text('İ'));
    expect(normalize({ case_change_action: 'UPPER', locale: 'no such place' }, text('i'))).toEqual(text('I'));
  });
});

describe('StringSplit', () => {
  const split = (attrs: Call<'StringSplit'>['attrs'], ...texts: string[]) => {
    const [parts, counts] = reference({ op: 'StringSplit', attrs: attrs ?? {}, inputs: [text(...texts)] });
    const [y, z] = [parts!, counts!];
    if (!isTensor(y) || !isTensor(z)) throw new Error('not tensors');
    return { shape: y.shape, parts: toStrings(y), counts: toNumbers(z) };
  };
  it('keeps what lies between delimiters, and pads', () => {
    expect(split({ delimiter: ',' }, 'a,,b', 'c')).toEqual({ shape: [2, 3], parts: ['a', '', 'b', 'c', '', ''], counts: [3, 1] });
    expect(split({ delimiter: '--', maxsplit: 1 }, 'a--b--c')).toEqual({ shape: [1, 2], parts: ['a', 'b--c'], counts: [2] });
  });
  it('takes white space as one', () => {
    expect(split({}, '  a \t b  ', '')).toEqual({ shape: [2, 2], parts: ['a', 'b', '', ''], counts: [2, 0] });
    expect(split({ maxsplit: 1 }, ' a  b c ')).toEqual({ shape: [1, 2], parts: ['a', 'b c'], counts: [2] });
  });
});

describe('RegexFullMatch', () => {
  const cases: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
    ['www\\.[\\w.-]+\\.\\bcom\\b', ['www.a-b.com'], ['www.a.org', 'xwww.a.com']],
    ['a|b*c|', ['a', 'c', 'bbc', ''], ['ab', 'b']],
    ['(?:ab){2,3}', ['abab', 'ababab'], ['ab', 'abababab']],
    ['x{2}y{0}z{1,}', ['xxz', 'xxzz'], ['xz', 'xxy']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['[^a-c\\d]+', ['xyz'], ['xa', 'x1', '']],
    ['[]a]+[[:upper:]-]', [']aA', 'a-'], ['aa']],
    ['(?i)straße(?-i:X)', ['STRAßeX'], ['straßex']],
    ['\\p{Greek}+\\PN', ['αβγ', 'αx'], ['α1', 'ab']],
    ['\\Qa.b*\\E+', ['a.b*', 'a.b**'], ['a.b', 'axb*']],
    ['(?P<year>\\d{4})-(?<day>\\d\\d)', ['2024-01'], ['24-01']],
    ['.', ['é', '😀'], ['\n', 'ab']],
    ['(?s).', ['\n'], ['']],
    ['(?m)a$\\n^b', ['a\nb'], ['ab']],
    ['\\Aa\\b\\z', ['a'], ['aa']],
    ['a\\B', [], ['a']],
    ['\\x41\\x{1F600}\\101\\t', ['A😀A\t'], ['A']],
  ];
  it.each(cases)('%s', (pattern, yes, no) => {
    const matches = compilePattern(pattern);
    expect(yes.filter((t) => !matches(t))).toEqual([]);
    expect(no.filter(matches)).toEqual([]);
  });
  it.each(['(', ')', '*a', 'a**', '[z-a]', '[a', 'a{1001}', '\\8', '\\p{Nonsense}', '(?x)', '(?<a b>c)', '\\'])('refuses %s', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(/pattern/);
  });
  it('takes time that grows with the text alone', () => {
    expect(compilePattern('(a*)*b')('a'.repeat(5000))).toBe(false);
    expect(() => compilePattern('((a{1000}){1000}){1000}')).toThrow(/states/);
  });
});

describe('TfIdfVectorizer', () => {
  const pool = { min_gram_length: 1, max_gram_length: 2, max_skip_count: 1, ngram_counts: [0, 2], ngram_indexes: [0, 2, 1], mode: 'TF' };
  const words = text('a', 'b', 'a', 'b', 'c');
  it('counts n-grams with items left out between', () => {
    // [a], [b]; [b, c] side by side once, and no pair of b and c with one between.
    expect(numbers({ op: 'TfIdfVectorizer', attrs: { ...pool, pool_strings: ['a', 'b', 'b', 'c'] }, inputs: [words] })).toEqual({ shape: [3], values: [2, 1, 2] });
    expect(numbers({ op: 'TfIdfVectorizer', attrs: { ...pool, pool_strings: ['a', 'b', 'a', 'c'] }, inputs: [words] }).values).toEqual([2, 1, 2]);
  });
  it('weighs them, row by row', () => {
    const x = tensorFrom('i32', [2, 3], [7, 7, 8, 8, 7, 9]);
    const attrs = { ...pool, pool_int64s: [7, 8, 8, 7], weights: [0.5, 2, 4] };
    expect(numbers({ op: 'TfIdfVectorizer', attrs: { ...attrs, mode: 'TFIDF' }, inputs: [x] })).toEqual({ shape: [2, 3], values: [1, 0, 2, 0.5, 4, 2] });
    expect(numbers({ op: 'TfIdfVectorizer', attrs: { ...attrs, mode: 'IDF' }, inputs: [x] }).values).toEqual([0.5, 0, 2, 0.5, 4, 2]);
  });
  it('refuses pools that do not fit', () => {
    expect(() => reference({ op: 'TfIdfVectorizer', attrs: { ...pool, pool_int64s: [7, 8, 9] }, inputs: [intTensor([7])] })).toThrow(/n-grams/);
    expect(() => reference({ op: 'TfIdfVectorizer', attrs: { ...pool, pool_int64s: [7, 8, 8, 9] }, inputs: [words] })).toThrow(/integers/);
  });
});
