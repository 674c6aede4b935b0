// Writes the nets that the bench builds (models/built.ts) as files, to look at them with other tools:
//   npx tsx bench/build.ts DIR [--only GLOB]
//   npx anychip bench 'DIR/BERT-base/model.onnx' --inputs 'DIR/BERT-base/test_data_set_0' --device cpu --profile
//   npx tsx bench/models.ts --models DIR
// DIR gets one folder a net, in the layout of ONNX's backend tests. Weights are random, the same each time.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { globPattern } from '../src/conformance/suite.ts';
import { builtNets } from './models/built.ts';
import { writeCase } from './models/write.ts';

const { values, positionals } = parseArgs({ options: { only: { type: 'string', default: '*' } }, allowPositionals: true });
const [folder] = positionals;
if (folder === undefined) throw new Error('give the folder that the nets are to be written into');
const wanted = globPattern(values.only);
for (const [name, build] of Object.entries(builtNets).filter(([key]) => wanted.test(key))) process.stdout.write(`${writeCase(join(folder, name), name, build()).model}\n`);
