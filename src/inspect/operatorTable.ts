// docs/operators.md, written from the declarations: every operator, since when, where it runs, what stays out. Knows no operator's name
// but those that are not operators of a graph.
import { dtypes } from '../core/dtype.ts';
import { upgrades } from '../formats/onnx/upgrade/table.ts';
import { isOnnxOp, onnxOps, schemaOf } from '../graph/ops.ts';
import type { OnnxOpName } from '../graph/ops.ts';

const titles: Readonly<Record<string, string>> = { '': 'ai.onnx', 'ai.onnx.ml': 'ai.onnx.ml', 'ai.onnx.preview.training': 'ai.onnx.preview.training' };

/** Operators of these domains that a graph here cannot have, and why. */
const leftOut: readonly (readonly [name: string, why: string])[] = [
  ['ai.onnx.preview.training.Gradient', 'it differentiates the graph around it; the optimisers of that domain are here'],
  ['ai.onnx.preview.FlexAttention', 'a preview without versions; `Attention` has its masks, windows and caps'],
];

/** Operators that ONNX has or had and that become others while a model is read. */
const becomes: Readonly<Record<string, string>> = { Constant: 'a constant of the graph', Scatter: 'ScatterElements', Upsample: 'Resize' };

const operators = Object.keys(onnxOps).filter(isOnnxOp);

function placeOf(op: OnnxOpName): string {
  const { hostOnly, hostInputs = [], hostWhen } = schemaOf(op);
  if (hostOnly !== undefined) return `host: ${hostOnly}`;
  const conditions = [
    ...(hostInputs.length === 0 ? [] : [`${hostInputs.map((name) => `\`${name}\``).join(', ')} ${hostInputs.length === 1 ? 'depends' : 'depend'} on data`]),
    hostWhen ?? [],
  ].flat();
  return conditions.length === 0 ? 'device' : `device; host when ${conditions.join(', or when ')}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const codes = (names: readonly string[]): string => (names.length === 0 ? '–' : names.map((name) => `\`${name}\``).join(' '));

function section(domain: string): string[] {
  const names = operators.filter((op) => schemaOf(op).domain === domain).toSorted();
  const onDevice = names.filter((op) => !placeOf(op).startsWith('host')).length;
  const rows = names.map((op) => {
    const { since, inputs, outputs, attrs, limits } = schemaOf(op);
    return row(op, String(since), codes(inputs), codes(outputs), codes(Object.keys(attrs)), limits === undefined ? placeOf(op) : `${placeOf(op)}. ${limits}`);
  });
  return [
    '',
    `## ${titles[domain]}`,
    '',
    `${names.length} operators, ${onDevice} of them on devices.`,
    '',
    row('operator', 'since', 'inputs', 'outputs', 'attributes', 'runs'),
    row('---', '---', '---', '---', '---', '---'),
    ...rows,
  ];
}

/** The whole page. */
export function operatorTable(): string {
  const renamed = [...new Set([...Object.keys(becomes), ...Object.keys(upgrades).filter((op) => !isOnnxOp(op))])].toSorted();
  const kinds = Object.keys(dtypes).map((dtype) => `\`${dtype}\``);
  return `${[
    '# Operators',
    '',
    'Written by `npm run docs` from the declarations in `src/graph/ops`; a test holds it to them.',
    '',
    `Models of every operator set of ONNX from 1 on are read: older forms of an operator become its latest one (\`src/formats/onnx/upgrade\`). Where an operator runs on the device it is written in the primitives of \`src/graph/prims.ts\` (\`src/passes/decompose\`), so it runs on every chip; a dtype that the chip's buffers lack sends the node to the host. The host runs the reference (\`src/reference\`), which has every operator below, with every attribute. \`anychip explain\` says where each node of a model runs, and why.`,
    '',
    'A mark after a name: `?` optional, `*` any number.',
    '',
    `Element types: ${kinds.join(', ')}. Complex numbers have none: operators that make them (\`DFT\`, \`STFT\`) do as ONNX does, with a last axis of two. Sparse tensors become dense when a model is read.`,
    ...Object.keys(titles).flatMap(section),
    '',
    '## Read as something else',
    '',
    row('operator', 'becomes'),
    row('---', '---'),
    ...renamed.map((op) => row(op, becomes[op] ?? 'operators of today')),
    '',
    '## Left out',
    '',
    row('operator', 'why'),
    row('---', '---'),
    ...leftOut.map(([name, why]) => row(name, why)),
  ].join('\n')}\n`;
}
