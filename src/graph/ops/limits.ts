// How long an axis may be that operands or attributes ask for, so that a hostile model is refused before tables are made for it.
import { AnychipError } from '../../core/error.ts';

const LONGEST_AXIS = 2 ** 26;

/** `length`, if it is a whole number from 0 to the limit. */
export function checkedLength(what: string, length: number): number {
  if (!Number.isInteger(length) || length < 0) throw new AnychipError('shape', `${what} of ${length}`, { hint: 'A length is a whole number that is not negative.' });
  if (length > LONGEST_AXIS)
    throw new AnychipError('limit', `${what} of ${length}: more than ${LONGEST_AXIS} are never made`, { hint: 'Use smaller sizes.', facts: { length, limit: LONGEST_AXIS } });
  return length;
}
