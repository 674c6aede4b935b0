// Results as a table for a terminal: a line for each runner of each case.
import { table } from '../../src/cli/print.ts';
import { ownBytes, partsOfPeak, ratioOf, startMillis } from '../results.ts';
import type { Entry, Results, Row } from '../results.ts';

const percent = (part: number | undefined): string => (part === undefined ? '' : `${(100 * part).toFixed(0)} %`);

function cellsOf(row: Row, entry: Entry, ratio: number | undefined): string[] {
  const { runner, timing, start, problem } = entry;
  if (timing === undefined) return ['', runner, problem ?? ''];
  const parts = partsOfPeak(row, entry);
  const last = start?.warm ?? start?.cold;
  return [
    '',
    `${runner}${problem === undefined ? '' : ` (${problem})`}`,
    timing.medianMillis.toFixed(3),
    timing.minMillis.toFixed(3),
    String(timing.runs),
    ratio?.toFixed(2) ?? '',
    percent(parts?.flops),
    percent(parts?.bytes),
    start === undefined ? '' : startMillis(start.cold, timing).toFixed(0),
    start?.warm === undefined ? '' : startMillis(start.warm, timing).toFixed(0),
    last === undefined ? '' : (ownBytes(last) / 2 ** 20).toFixed(0),
  ];
}

export function terminalTable({ rows }: Results): string {
  const titles = ['case', 'runner', 'median ms', 'min ms', 'runs', 'ratio', 'FMA peak', 'bandwidth', 'start ms', 'again ms', 'MiB'];
  const cells = rows.flatMap((row) => {
    const lines = row.races.flatMap((race) => [...race.peers.map((peer) => cellsOf(row, peer, undefined)), cellsOf(row, race.device, ratioOf(race))]);
    if (lines.length === 0) return [[row.name, row.problem ?? '']];
    lines[0]![0] = row.name;
    return lines;
  });
  return table(titles, cells, titles.slice(2));
}
