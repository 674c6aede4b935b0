// Names of any text as identifiers that C and C++ take.

/** Keywords of both, and what programs around such names use themselves: the C library, its types, and their own. */
const RESERVED: ReadonlySet<string> = new Set(
  [
    'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch',
    'typedef union unsigned void volatile while bool true false class delete explicit export friend mutable namespace new operator private protected public template this throw',
    'try catch typename using virtual asm and or not xor linux unix main errno stdin stdout stderr NULL EOF FILE size_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t',
    'uint64_t printf fprintf fopen fread fclose malloc calloc free memcpy posix_memalign read_file argc argv i instance model threads made bases data pool PUBLIC HIDDEN FREE anychip_execute anychip_create_pool anychip_dispose_pool',
  ].flatMap((line) => line.split(' ')),
);

/** An identifier of C made of `text`, none of `taken`, which it joins. */
export function identifier(text: string, taken: Set<string>): string {
  const plain = text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  const stem = /^[A-Za-z]/.test(plain) ? plain : `x${plain}`;
  let name = stem;
  for (let i = 2; taken.has(name.toLowerCase()) || RESERVED.has(name); i++) name = `${stem}_${i}`;
  taken.add(name.toLowerCase());
  return name;
}
