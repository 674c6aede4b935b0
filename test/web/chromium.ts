// A page of the installed Chromium with the harness in it, and the server behind it.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { createStaticServer, listen } from '../../examples/browser/server.ts';
import type { Folders } from '../../examples/browser/server.ts';
import { bundle, worker } from '../../scripts/bundle.ts';
import type { Harness } from './harness.ts';

/** Where distributions put it; CHROME_PATH goes first. */
const PATHS = [process.env['CHROME_PATH'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];
export const executable: string | undefined = PATHS.find((path) => path !== '' && existsSync(path));

/** WebGPU on the processor: Chromium's own Vulkan driver in software. */
const ARGUMENTS = ['--no-sandbox', '--disable-background-networking', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

export const openChromium = (): Promise<Browser> => chromium.launch({ executablePath: executable!, args: ARGUMENTS });

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Serves `folders`; a problem of any of its pages is kept. */
export interface Site {
  readonly folder: string;
  readonly address: string;
  open(browser: Browser): Promise<Page>;
  /** What pages threw without catching it. */
  readonly errors: readonly string[];
  close(): void;
}

/** A site of `folders` and of what is bundled for it: the harness under /harness/, the package under /anychip/. */
export async function serveSite(folders: Folders, options: { readonly isolated?: boolean } = {}): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-web-'));
  await bundle({ harness: fileOf('./harness.ts'), anychip: fileOf('../../src/web.ts'), ...worker }, folder);
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>harness</title><script type="module" src="harness.js"></script>');
  const server = createStaticServer({ ...folders, '/harness/': folder, '/anychip/': folder }, options);
  const address = await listen(server);
  const errors: string[] = [];
  return {
    folder,
    address,
    errors,
    async open(browser) {
      const page = await browser.newPage();
      page.on('pageerror', (error) => errors.push(String(error)));
      return page;
    },
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A page with the harness loaded. */
export async function openHarness(site: Site, browser: Browser): Promise<Page> {
  const page = await site.open(browser);
  await page.goto(`${site.address}/harness/`);
  await page.waitForFunction('globalThis.harness !== undefined');
  return page;
}

/** Calls a function of the harness in the page. */
export function call<K extends keyof Harness>(page: Page, name: K, ...args: Parameters<Harness[K]>): Promise<Awaited<ReturnType<Harness[K]>>> {
  return page.evaluate(`globalThis.harness[${JSON.stringify(name)}](...${JSON.stringify(args)})`);
}
