// The cases of the bench, by name: models of a folder, nets and single operators that are built. It must not know who runs them.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { globPattern, listCases } from '../src/conformance/suite.ts';
import type { Case } from '../src/conformance/suite.ts';
import { builtNets } from './models/built.ts';
import { opModels } from './models/operators.ts';
import { writeCase } from './models/write.ts';

export interface BenchCase {
  readonly name: string;
  readonly group: string;
  /** A model rather than a part of one: its start and its memory are of interest too. */
  readonly isWhole: boolean;
  readonly tolerance?: number;
  readonly reuses?: boolean;
  /** Below `folder` where it is to be written. */
  files(folder: string): Case;
}

/** Only measured where they are asked for. */
const ASKED = new Set(['operators']);

/** Plain files, each a case of its own, or cases in ONNX's layout. */
function modelsIn(folder: string): readonly Case[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.onnx') && name !== 'model.onnx');
  return files.length === 0 ? listCases(folder) : files.map((name) => ({ name: basename(name, '.onnx'), model: join(folder, name), dataSets: [] }));
}

/** Cases by a glob over their names; without one all but single operators that are no products or convolutions. */
export function casesOf(models: readonly string[], only: string | undefined): BenchCase[] {
  const given = models.flatMap(modelsIn).map((test): BenchCase => ({ name: test.name, group: 'models', isWhole: true, files: () => test }));
  const nets = builtNets.map(({ build, ...net }): BenchCase => ({ ...net, isWhole: true, files: (folder) => writeCase(folder, net.name, build()) }));
  const operators = opModels().map(({ name, group, build }): BenchCase => ({ name, group, isWhole: false, files: (folder) => writeCase(folder, name, build()) }));
  const wanted = only === undefined ? undefined : globPattern(only);
  return [...given, ...nets, ...operators].filter(({ name, group }) => (wanted === undefined ? !ASKED.has(group) : wanted.test(name)));
}
