// The string family has no decompositions: devices hold no text.
import type { stringOps } from '../../graph/ops/string.ts';
import type { Lowerings } from '../lowering.ts';

export const stringLowerings: Lowerings<keyof typeof stringOps> = {
  StringNormalizer: 'host',
  StringConcat: 'host',
  StringSplit: 'host',
  RegexFullMatch: 'host',
  TfIdfVectorizer: 'host',
};
