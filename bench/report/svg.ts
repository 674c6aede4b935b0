// Ratios as a picture: a bar for each device of each case, from the line at 1 to the right where it is ahead, on a scale of doublings.
// Readable on light and dark grounds; widths of texts are estimated generously, so that nothing is cut.
import { devicesOf, groupsOf, raceOf, ratioOf } from '../results.ts';
import type { Results, Row } from '../results.ts';

const WIDTH = 860;
const LABELS = 250;
const VALUES = 52;
const BAR = 10;
/** From one bar of a case to the next. */
const PITCH = 12;
const GAP = 6;
const HEAD = 74;
const TITLE = 30;
const FOOT = 28;
/** Bars end here, whatever they stand for; the number beside says it. */
const [LEAST, MOST] = [1 / 4, 8];
const TICKS = [1 / 4, 1 / 2, 1, 2, 4, 8];
/** Of the font's size: the width of a character, rather more than it has. */
const CHARACTER = 0.58;
const FONT = 12;

const x = (ratio: number): number => {
  const part = Math.log2(Math.min(Math.max(ratio, LEAST), MOST) / LEAST) / Math.log2(MOST / LEAST);
  return LABELS + part * (WIDTH - LABELS - VALUES);
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** As much of it as fits. */
export function fitted(text: string, width: number, size = FONT): string {
  const most = Math.floor(width / (size * CHARACTER));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

const text = (at: { readonly x: number; readonly y: number }, content: string, kind = '', anchor = 'start'): string =>
  `<text x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}"${kind === '' ? '' : ` class="${kind}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped(content)}</text>`;

const STYLE = `<style>
text { font: ${FONT}px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 14px; font-weight: 600; } .group { font-weight: 600; } .small { font-size: 10.5px; fill: #57606a; }
.tick { stroke: #d0d7de; stroke-width: 1; } .one { stroke: #24292f; stroke-width: 1.5; }
.d0 { fill: #1f6feb; } .d1 { fill: #8250df; } .d2 { fill: #1a7f37; } .behind { opacity: .55; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .small { fill: #9198a1; } .tick { stroke: #3d444d; } .one { stroke: #e6edf3; }
.d0 { fill: #4493f8; } .d1 { fill: #ab7df8; } .d2 { fill: #3fb950; }
}
</style>`;

/** Bars of one case, and how high they are together. */
function caseBars(row: Row, devices: readonly string[], top: number): { readonly parts: readonly string[]; readonly height: number } {
  const height = devices.length * PITCH + GAP;
  const bars = devices.flatMap((device, i) => {
    const race = raceOf(row, device);
    const ratio = race === undefined ? undefined : ratioOf(race);
    if (ratio === undefined) return [];
    const y = top + i * PITCH;
    const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
    const value = text({ x: to + 4, y: y + BAR - 0.5 }, ratio.toFixed(2), 'small');
    const title = `<title>${escaped(`${row.name}, ${device}: ${ratio.toFixed(2)}`)}</title>`;
    return [
      `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(to - from, 0.5).toFixed(1)}" height="${BAR}" class="d${i % 3}${ratio < 1 ? ' behind' : ''}">${title}</rect>`,
      value,
    ];
  });
  const middle = top + (devices.length * PITCH) / 2 + FONT / 2 - 2;
  return { parts: [text({ x: LABELS - 10, y: middle }, fitted(row.name, LABELS - 14), '', 'end'), ...bars], height };
}

/** A picture of all cases that have a ratio. */
export function svgOf(results: Results): string {
  const devices = devicesOf(results);
  const rows = results.rows.filter((row) => devices.some((device) => { const race = raceOf(row, device); return race !== undefined && ratioOf(race) !== undefined; })); // prettier-ignore
  const parts: string[] = [];
  let y = HEAD;
  for (const group of groupsOf(rows)) {
    parts.push(text({ x: 10, y: y + 16 }, group, 'group'));
    y += TITLE - 6;
    for (const row of rows.filter((one) => one.group === group)) {
      const bars = caseBars(row, devices, y);
      parts.push(...bars.parts);
      y += bars.height;
    }
  }
  const ticks = TICKS.flatMap((ratio) => [
    `<line x1="${x(ratio).toFixed(1)}" x2="${x(ratio).toFixed(1)}" y1="${HEAD}" y2="${y}" class="${ratio === 1 ? 'one' : 'tick'}"/>`,
    text({ x: x(ratio), y: y + 15 }, ratio < 1 ? `1/${1 / ratio}` : String(ratio), 'small', 'middle'),
  ]);
  const peerOf = (device: string): string => rows.map((row) => raceOf(row, device)?.peers[0]?.runner).find((name) => name !== undefined) ?? '';
  let left = LABELS;
  const legend = devices.flatMap((device, i) => {
    const label = `${device} beside ${peerOf(device)}`;
    const at = left;
    left += label.length * FONT * CHARACTER + 34;
    return [`<rect x="${at}" y="${HEAD - 22}" width="12" height="${BAR}" class="d${i % 3}"/>`, text({ x: at + 17, y: HEAD - 13.5 }, label)];
  });
  const height = y + FOOT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="How many times as fast as ONNX Runtime">
${STYLE}
${text({ x: 10, y: 20 }, 'Times as fast as ONNX Runtime: right of 1 anychip is ahead', 'title')}
${text({ x: 10, y: 37 }, fitted(`${results.machine.processor}, ${results.threads} ${results.threads === 1 ? 'thread' : 'threads'}, ${results.date}`, WIDTH - 20), 'small')}
${[...legend, ...ticks, ...parts].join('\n')}
</svg>
`;
}
