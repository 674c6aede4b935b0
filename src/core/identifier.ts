// Names of any text as identifiers that C and C++ take.

const RESERVED = (
  'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static ' +
  'struct switch typedef union unsigned void volatile while bool true false class delete explicit export friend mutable namespace new operator private protected public ' +
  'template this throw try catch typename using virtual asm main model threads and or not xor'
).split(' ');

/** An identifier of C made of `text`, none of `taken`, which it joins. */
export function identifier(text: string, taken: Set<string>): string {
  const plain = text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  const stem = /^[A-Za-z]/.test(plain) ? plain : `x${plain}`;
  let name = stem;
  for (let i = 2; taken.has(name.toLowerCase()) || RESERVED.includes(name); i++) name = `${stem}_${i}`;
  taken.add(name.toLowerCase());
  return name;
}
