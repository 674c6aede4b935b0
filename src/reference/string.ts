// Reference of the string family.
import { AnychipError } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import { intTensor, stringTensor, tensorFrom } from '../core/tensor.ts';
import type { stringOps } from '../graph/ops/string.ts';
import { forEachBroadcast } from './broadcast.ts';
import { stringsAt, tensorAt } from './evaluate.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import { countGrams } from './ngrams.ts';
import { compilePattern } from './re2.ts';

type Change = (text: string, locale: string | undefined) => string;
const changes: Readonly<Record<string, Change>> = {
  NONE: (text) => text,
  LOWER: (text, locale) => text.toLocaleLowerCase(locale),
  UPPER: (text, locale) => text.toLocaleUpperCase(locale),
};

/** 'en_US.UTF-8' of POSIX is 'en-US' here; a locale that nobody knows is the neutral one. */
function localeOf(name: string | undefined): string | undefined {
  const tag = name?.split(/[.@]/)[0]!.replaceAll('_', '-');
  try {
    return tag === undefined ? undefined : Intl.getCanonicalLocales(tag)[0];
  } catch {
    return undefined;
  }
}

const normalize: Evaluate<'StringNormalizer'> = ({ attrs }, inputs) => {
  const { shape } = tensorAt(inputs, 0);
  if (shape.length === 0 || shape.length > 2 || (shape.length === 2 && shape[0] !== 1))
    throw new AnychipError('shape', `StringNormalizer of ${formatShape(shape)}`, { hint: 'It takes [C] or [1, C].' });
  const change = changes[attrs.case_change_action];
  if (change === undefined) throw new AnychipError('bad-model', `case_change_action '${attrs.case_change_action}' is unknown`, { hint: 'It is LOWER, UPPER or NONE.' });
  const locale = localeOf(attrs.locale);
  const fold = attrs.is_case_sensitive === 0 ? changes['LOWER']! : changes['NONE']!;
  const stopwords = new Set(attrs.stopwords?.map((word) => fold(word, locale)));
  const kept = stringsAt(inputs, 0).filter((text) => !stopwords.has(fold(text, locale)));
  // Nothing left is written as one empty text.
  const texts = kept.length === 0 ? [''] : kept.map((text) => change(text, locale));
  return [stringTensor([...shape.slice(0, -1), texts.length], texts)];
};

/** Words between runs of white space; after `limit` cuts the rest is the last one, without white space at its ends. */
function splitWords(text: string, limit: number): string[] {
  const words: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const cut = words.length < limit ? rest.search(/\s/) : -1;
    words.push(cut < 0 ? rest : rest.slice(0, cut));
    rest = cut < 0 ? '' : rest.slice(cut).trimStart();
  }
  return words;
}

function splitAt(text: string, delimiter: string, limit: number): string[] {
  const parts = text.split(delimiter);
  return parts.length <= limit + 1 ? parts : [...parts.slice(0, limit), parts.slice(limit).join(delimiter)];
}

const split: Evaluate<'StringSplit'> = ({ attrs }, inputs) => {
  const { delimiter, maxsplit = Infinity } = attrs;
  const { shape } = tensorAt(inputs, 0);
  const rows = stringsAt(inputs, 0).map((text) => (delimiter === '' ? splitWords(text, maxsplit) : splitAt(text, delimiter, maxsplit)));
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const padded = rows.flatMap((row) => [...row, ...Array.from({ length: width - row.length }, () => '')]);
  return [
    stringTensor([...shape, width], padded),
    intTensor(
      rows.map((row) => row.length),
      shape,
    ),
  ];
};

export const stringEvaluations: Evaluations<keyof typeof stringOps> = {
  StringNormalizer: normalize,
  StringConcat: (_, inputs) => {
    const [x, y] = [stringsAt(inputs, 0), stringsAt(inputs, 1)];
    const texts: string[] = [];
    const shape = forEachBroadcast([tensorAt(inputs, 0), tensorAt(inputs, 1)], ([i, j]) => void texts.push(x[i!]! + y[j!]!));
    return [stringTensor(shape, texts)];
  },
  StringSplit: split,
  RegexFullMatch: ({ attrs }, inputs) => {
    const matches = compilePattern(attrs.pattern);
    const { shape } = tensorAt(inputs, 0);
    return [tensorFrom('bool', shape, stringsAt(inputs, 0).map((text) => (matches(text) ? 1 : 0)))]; // prettier-ignore
  },
  TfIdfVectorizer: ({ attrs }, inputs) => [countGrams(tensorAt(inputs, 0), attrs)],
};
