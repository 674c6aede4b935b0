// Declarations of the string family: text in, text or counts out. All of it is the host's work.
import { floats, int, ints, op, required, string, strings } from '../schema.ts';

const hosted = { hostOnly: 'strings' } as const;

export const stringOps = {
  StringNormalizer: op({
    since: 10,
    inputs: ['X'],
    outputs: ['Y'],
    attrs: { case_change_action: string('NONE'), is_case_sensitive: int(0), locale: string(), stopwords: strings() },
    ...hosted,
  }),
  StringConcat: op({ since: 20, inputs: ['X', 'Y'], outputs: ['Z'], attrs: {}, ...hosted }),
  StringSplit: op({ since: 20, inputs: ['X'], outputs: ['Y', 'Z'], attrs: { delimiter: string(''), maxsplit: int() }, ...hosted }),
  RegexFullMatch: op({ since: 20, inputs: ['X'], outputs: ['Y'], attrs: { pattern: required('string') }, ...hosted }),
  TfIdfVectorizer: op({
    since: 9,
    inputs: ['X'],
    outputs: ['Y'],
    attrs: {
      max_gram_length: required('int'),
      max_skip_count: required('int'),
      min_gram_length: required('int'),
      mode: required('string'),
      ngram_counts: required('ints'),
      ngram_indexes: required('ints'),
      pool_int64s: ints(),
      pool_strings: strings(),
      weights: floats(),
    },
    hostOnly: 'words are looked up in a dictionary',
  }),
} as const;
