// A library's own C: the header that its callers include, the unit that holds its data and its functions, and an example that calls them.
import { identifier } from '../../core/identifier.ts';
import { elementCount } from '../../core/shape.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { dtypes } from '../../core/dtype.ts';
import type { LibraryDescription, LibraryPlace, LibraryPort } from '../../runtime/library.ts';
import { PAGE_BYTES } from './pool.ts';

/** How callers hold elements: a type of stdint.h, and how printf shows one. Small floats are their bits, integers narrower than a byte are bytes. */
interface ElementType {
  readonly c: string;
  readonly format: string;
  readonly shown: string;
}
const real = (c: string, digits: number): ElementType => ({ c, format: `%.${digits}g`, shown: 'double' });
const signed = (bits: number): ElementType => ({ c: `int${bits}_t`, format: '%lld', shown: 'long long' });
const unsigned = (bits: number): ElementType => ({ c: `uint${bits}_t`, format: '%llu', shown: 'unsigned long long' });
const elements: { readonly [D in NumericDType]: ElementType } = {
  f64: real('double', 17),
  f32: real('float', 9),
  f16: unsigned(16),
  bf16: unsigned(16),
  f8e4m3: unsigned(8),
  f8e4m3fnuz: unsigned(8),
  f8e5m2: unsigned(8),
  f8e5m2fnuz: unsigned(8),
  f8e8m0: unsigned(8),
  f4e2m1: unsigned(8),
  i64: signed(64),
  i32: signed(32),
  i16: signed(16),
  i8: signed(8),
  i4: signed(8),
  i2: signed(8),
  u64: unsigned(64),
  u32: unsigned(32),
  u16: unsigned(16),
  u8: unsigned(8),
  u4: unsigned(8),
  u2: unsigned(8),
  bool: unsigned(8),
};

/** A name of the model in a comment: one line that cannot end it. */
const quoted = (name: string): string =>
  `'${name
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('*/', '* /')
    .replaceAll('/*', '/ *')
    .replaceAll('\\', '/')}'`;

interface NamedPort extends LibraryPort {
  readonly id: string;
}
interface Named {
  readonly inputs: readonly NamedPort[];
  readonly outputs: readonly NamedPort[];
}

function namePorts({ name, inputs, outputs }: LibraryDescription): Named {
  const taken = new Set([name.toLowerCase()]);
  const named = (port: LibraryPort): NamedPort => ({ ...port, id: identifier(port.name, taken) });
  return { inputs: inputs.map(named), outputs: outputs.map(named) };
}

const shapeText = (shape: LibraryPort['shape']): string => `[${shape.join(', ')}]`;
const parameters = ({ inputs, outputs }: Named): string =>
  [...inputs.map(({ dtype, id }) => `const ${elements[dtype].c} *${id}`), ...outputs.map(({ dtype, id }) => `${elements[dtype].c} *${id}`)].join(', ');

function portText(prefix: string, kind: string, { name, dtype, shape, id }: NamedPort): string {
  const macro = `${prefix}_${id}`.toUpperCase();
  return [
    `/* ${kind} ${quoted(name)}: ${dtype} ${shapeText(shape)}, row-major. */`,
    `#define ${macro}_ELEMENTS ${elementCount(shape)}`,
    `#define ${macro}_RANK ${shape.length}`,
    ...(shape.length === 0 ? [] : [`#define ${macro}_SHAPE {${shape.join(', ')}}`]),
    '',
  ].join('\n');
}

/** `made`: what the library was made for, for people. */
export function headerText(library: LibraryDescription, made: string): string {
  const { name, title, fixed } = library;
  const ports = namePorts(library);
  const guard = `${name.toUpperCase()}_H`;
  const given = ports.inputs.length + ports.outputs.length;
  return [
    `/* ${quoted(title)} as a library. ${made} Small floats (f16, bf16, f8, f4) are their bits; i4, u4, i2, u2 and bool take a byte each. */`,
    `#ifndef ${guard}`,
    `#define ${guard}`,
    '#include <stdint.h>',
    '#ifdef __cplusplus',
    'extern "C" {',
    '#endif',
    '',
    ...ports.inputs.map((port) => portText(name, 'Input', port)),
    ...ports.outputs.map((port) => portText(name, 'Output', port)),
    ...fixed.map((port) => `/* Input ${quoted(port.name)}, ${port.dtype} ${shapeText(port.shape)}, decides shapes: its value is compiled in. */\n`),
    `typedef struct ${name} ${name};`,
    '',
    "/* A model ready to run on this many threads, the caller's among them; null where memory lacks. Each may be used by one thread at a time. */",
    `${name} *${name}_create(int threads);`,
    `/* Runs the model. Every array is the caller's and has as many elements as said above${given === 0 ? '' : '; none may be null'}. 0 on success. */`,
    `int ${name}_run(${name} *model${given === 0 ? '' : `, ${parameters(ports)}`});`,
    `void ${name}_free(${name} *model);`,
    '',
    '#ifdef __cplusplus',
    '}',
    '#endif',
    '#endif',
    '',
  ].join('\n');
}

/** The file, beside the unit when it is compiled, that holds the library's data. */
export const DATA_FILE = 'data.bin';

const dataText = (bytes: number): string =>
  bytes === 0
    ? 'static const char data[64] __attribute__((aligned(64)));\n'
    : `#ifdef __APPLE__
__asm__(".const_data\\n.balign 64\\n_anychip_data:\\n.incbin \\"${DATA_FILE}\\"\\n.text\\n");
#else
__asm__(".section .rodata\\n.balign 64\\nanychip_data:\\n.incbin \\"${DATA_FILE}\\"\\n.previous\\n");
#endif
extern const char data[] __asm__(
#ifdef __APPLE__
"_anychip_data"
#else
"anychip_data"
#endif
) HIDDEN;
`;

/** What an instance holds, how it gets that, and how it lets it go; nothing where there is nothing to compute. */
function instanceText(
  program: LibraryDescription['program'],
  stride: number,
): { readonly declarations: string; readonly fields: string; readonly free: string; readonly create: string } {
  if (program === undefined) return { declarations: '', fields: 'int nothing;', free: '', create: '' };
  return {
    declarations: `struct pool;
HIDDEN struct pool *anychip_create_pool(int);
HIDDEN void anychip_dispose_pool(struct pool *);
HIDDEN void anychip_execute(struct pool *, long long, char *const *, char *, long long, long long *);
`,
    fields: 'struct pool *pool; void *arena, *scratch;',
    free: `  if (model->pool) anychip_dispose_pool(model->pool);
  free(model->arena);
  free(model->scratch);
`,
    create: `  if (posix_memalign(&model->arena, 64, ${Math.max(program.arenaBytes, 64)}ul)) model->arena = 0;
  if (posix_memalign(&model->scratch, ${PAGE_BYTES}, ${Math.max(stride, PAGE_BYTES)}ul * threads)) model->scratch = 0;
  model->pool = anychip_create_pool(threads);
  if (!model->arena || !model->scratch || !model->pool) {
    FREE(model);
    return 0;
  }
`,
  };
}

/** The unit of the library's own functions. They are all that it shows. */
export function libraryUnit(library: LibraryDescription): string {
  const { name, program, copies, data } = library;
  const ports = namePorts(library);
  const all = [...ports.inputs, ...ports.outputs];
  const places = { input: ports.inputs, output: ports.outputs };
  const address = (place: LibraryPlace): string => (place.at === 'data' ? `(data + ${place.offsetBytes})` : places[place.at][place.index]!.id);
  const stride = program === undefined ? 0 : Math.ceil(program.scratchBytes / PAGE_BYTES) * PAGE_BYTES;
  const { declarations, fields, free, create } = instanceText(program, stride);
  const bases = program?.ports.map((place) => `(char *)${address(place)}`) ?? [];
  const execute = `  char *const bases[] = {${['model->arena', '(char *)data', ...bases].join(', ')}};
  anychip_execute(model->pool, -1, bases, model->scratch, ${stride}, 0);`;
  const run = [...(program === undefined ? [] : [execute]), ...copies.map(({ to, from, bytes }) => `  memcpy(${ports.outputs[to]!.id}, ${address(from)}, ${bytes}ul);`)];
  return `#include <stdint.h>
#define PUBLIC __attribute__((visibility("default")))
#define HIDDEN __attribute__((visibility("hidden")))
#define FREE ${name}_free
int posix_memalign(void **, unsigned long, unsigned long);
void free(void *);
void *memcpy(void *, const void *, unsigned long);
${declarations}${dataText(data.byteLength)}
typedef struct ${name} { ${fields} } ${name};
PUBLIC void ${name}_free(${name} *model) {
  if (!model) return;
${free}  free(model);
}
PUBLIC ${name} *${name}_create(int threads) {
  void *made = 0;
  if (threads < 1) threads = 1;
  if (posix_memalign(&made, 64, sizeof(${name}))) return 0;
  ${name} *model = made;
${create}  return model;
}
PUBLIC int ${name}_run(${[`${name} *model`, ...(all.length === 0 ? [] : [parameters(ports)])].join(', ')}) {
  if (${['model', ...all.map(({ id }) => id)].map((x) => `!${x}`).join(' || ')}) return -1;
${run.join('\n')}
  return 0;
}
`;
}

/** Values of each output that the example shows. */
const SHOWN = 16;

/** A program that runs the model once, on files of raw elements or zeros. */
export function exampleText(library: LibraryDescription): string {
  const { name } = library;
  const ports = namePorts(library);
  const all = [...ports.inputs, ...ports.outputs];
  const bytes = ({ dtype, shape }: LibraryPort): number => elementCount(shape) * dtypes[dtype].bytes;
  const read = ports.inputs.map(({ id, ...port }, i) => `  if (argc > ${i + 1} && !read_file(argv[${i + 1}], ${id}, ${bytes(port)})) return 1;`);
  const show = ports.outputs.map(({ name: title, dtype, shape, id }) => {
    const { format, shown } = elements[dtype];
    return `  for (size_t i = 0; i < ${Math.min(elementCount(shape), SHOWN)}; i++) printf("%s[%zu] = ${format}\\n", ${JSON.stringify(quoted(title))}, i, (${shown})${id}[i]);`;
  });
  const usage = ports.inputs.map(({ id, dtype, shape }) => ` ${id}.bin (${dtype} ${shapeText(shape)})`).join(',');
  return `/*
 * Runs the model once and shows the first values of each output.
 *   cc main.c -o example -L. -l${name} -Wl,-rpath,'$ORIGIN'
 *   ./example [FILE...]
 * Files hold raw elements of the inputs, in order:${usage === '' ? ' there are none' : usage}. Zeros stand for those that are not given.
 */
#include <stdio.h>
#include <stdlib.h>
#include "${name}.h"

static int read_file(const char *path, void *into, size_t bytes) {
  FILE *file = fopen(path, "rb");
  size_t got = file ? fread(into, 1, bytes, file) : 0;
  if (file) fclose(file);
  if (got != bytes) fprintf(stderr, "%s: %zu bytes are needed\\n", path, bytes);
  return got == bytes;
}

int main(int argc, char **argv) {
  (void)argc, (void)argv, (void)read_file;
${all.map((port) => `  ${elements[port.dtype].c} *${port.id} = calloc(${Math.max(elementCount(port.shape), 1)}, sizeof *${port.id});`).join('\n')}
${all.length === 0 ? '' : `  if (${all.map(({ id }) => `!${id}`).join(' || ')}) return 1;`}
${read.join('\n')}
  ${name} *instance = ${name}_create(4);
  if (!instance) return 1;
  if (${name}_run(${['instance', ...all.map(({ id }) => id)].join(', ')}) != 0) return 1;
${show.join('\n')}
  ${name}_free(instance);
${all.map(({ id }) => `  free(${id});`).join('\n')}
  return 0;
}
`;
}
