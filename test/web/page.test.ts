// The page of examples/browser in Chromium: what it shows for the project's own model, for files of the user's, and when something is wrong.
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folders } from '../../examples/browser/folders.ts';
import { doubling } from '../session/models.ts';
import { executable, openChromium, serveSite } from './chromium.ts';
import type { Site } from './chromium.ts';

const READY = 'body[data-state=ready]';
const image = (name: string): Buffer => readFileSync(new URL(`../../examples/images/${name}`, import.meta.url));

describe.skipIf(executable === undefined)(`the page in Chromium${executable === undefined ? ', which is not installed' : ''}`, { timeout: 180_000 }, () => {
  let browser: Browser;
  let site: Site;
  let page: Page;

  beforeAll(async () => {
    [browser, site] = await Promise.all([openChromium(), serveSite(folders)]);
    page = await site.open(browser);
    page.setDefaultTimeout(120_000);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  /** The cells of each row of results, by device. */
  const rows = async (): Promise<Readonly<Record<string, string[]>>> =>
    Object.fromEntries(
      await Promise.all(
        (await page.locator('#rows tr').all()).map(async (row): Promise<readonly [string, string[]]> => [
          await row.locator('th').innerText(),
          await row.locator('td').allInnerTexts(),
        ]),
      ),
    );
  async function run(...devices: readonly string[]): Promise<void> {
    for (const box of await page.locator('.device input').all()) await box.setChecked(devices.includes((await box.getAttribute('value')) ?? ''));
    await page.click('#run');
    await page.waitForSelector(READY);
  }

  it('finds the devices and waits for a click', async () => {
    await page.goto(site.address);
    await page.waitForSelector(READY);
    expect(await page.locator('.device strong').allInnerTexts()).toEqual(expect.arrayContaining(['wasm', 'webgpu', 'reference']));
    expect(await page.locator('#surroundings').innerText()).toMatch(/is cross-origin isolated/);
  });

  it('shows what each device answers, and how far it is from the reference', async () => {
    await page.click('[title=print-4]');
    await run('wasm', 'webgpu', 'reference');
    const shown = await rows();
    expect(Object.keys(shown).sort()).toEqual(['reference', 'wasm', 'webgpu']);
    for (const [answer, first, next] of Object.values(shown)) {
      expect(answer).toMatch(/^4, \d+\.\d %$/);
      expect(first).toMatch(/^[\d.]+ m?s$/);
      expect(next).toMatch(/^[\d.]+ m?s\n\d+ runs?$/);
    }
    expect(shown['reference']![3]).toBe('the definition');
    for (const device of ['wasm', 'webgpu']) expect(shown[device]![3]).toMatch(/^(none|\d\.\de-[5-9]|\d\.\de-1\d)$/);
    expect(await page.locator('#answer .bars .first').first().innerText()).toBe('4');
  });

  it("reads pictures of the user's, also where only the browser can decode them", async () => {
    await page.setInputFiles('#picture', { name: 'mine.jpg', mimeType: 'image/jpeg', buffer: image('hand-0.jpg') });
    await run('wasm');
    expect((await rows())['wasm']![0]).toMatch(/^0, /);
    const webp: string =
      await page.evaluate(`createImageBitmap(new Blob([Uint8Array.from(atob('${image('hand-8.png').toString('base64')}'), (c) => c.charCodeAt(0))])).then((bitmap) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      return canvas.toDataURL('image/webp');
    })`);
    expect(webp).toMatch(/^data:image\/webp/);
    await page.setInputFiles('#picture', { name: 'mine.webp', mimeType: 'image/webp', buffer: Buffer.from(webp.split(',')[1]!, 'base64') });
    await run('wasm');
    expect((await rows())['wasm']![0]).toMatch(/^8, /);
  });

  it('says in words what is wrong', async () => {
    const problem = (): Promise<string> => page.locator('#problem').innerText();
    await run();
    expect(await problem()).toMatch(/No device is chosen/);
    await page.setInputFiles('#picture', { name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await run('wasm');
    expect(await problem()).toMatch(/image cannot be read/);
    await page.setInputFiles('#picture', { name: 'zero.jpg', mimeType: 'image/jpeg', buffer: image('hand-0.jpg') });
    for (const [buffer, said] of [
      [Buffer.from('no model'), /./],
      [Buffer.from(doubling()), /takes no image/],
    ] as const) {
      await page.setInputFiles('#model', { name: 'mine.onnx', mimeType: 'application/octet-stream', buffer });
      await run('wasm');
      expect(await problem()).toMatch(said);
      expect(await problem()).not.toMatch(/undefined|\[object/);
    }
  });

  it('stops when told to, and runs again', async () => {
    await page.reload();
    await page.waitForSelector(READY);
    await page.click('#run');
    await page.click('#stop');
    await page.waitForSelector(READY);
    expect(Object.values(await rows()).flat()).toContain('stopped');
    await run('wasm');
    expect((await rows())['wasm']![0]).toMatch(/^7, /);
  });

  it('threw nothing that nobody caught', () => expect(site.errors).toEqual([]));
});
