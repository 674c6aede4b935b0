// WebGPU in Node: Dawn, from the npm package `webgpu`, which is optional. Where no driver offers a GPU, the software one that comes with
// Chromium is taken, if it is installed.
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { openNative } from '../../ffi/native.ts';
import type { Gpu, OpenGpu } from './api.ts';

/** A name, so that a build without the package is one all the same. */
const PACKAGE = 'webgpu';
/** Where SwiftShader's description for Vulkan's loader lies, and often the loader itself. */
const SOFTWARE_FOLDERS = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/usr/lib/chromium-browser', '/opt/google/chrome'];
const DRIVER = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
/** Where drivers describe themselves to Vulkan's loader; without any it complains aloud. */
const DRIVER_FOLDERS = [
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/etc/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
  join(homedir(), '.local/share/vulkan/icd.d'),
];
const CHOSEN = 'VK_ICD_FILENAMES';
const hasDriver = (): boolean => CHOSEN in process.env || DRIVER_FOLDERS.some((folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.json')));

/**
 * Kernels write shared memory before they read it; zeros there cost SwiftShader's compiler seconds a kernel. Exact times are no secret from
 * who runs Node.
 */
const DAWN_OPTIONS = ['enable-dawn-features=disable_workgroup_init', 'disable-dawn-features=timestamp_quantization'];

interface DawnPackage {
  create(options: readonly string[]): Gpu;
}
const isDawn = (x: unknown): x is DawnPackage => typeof x === 'object' && x !== null && 'create' in x && typeof x.create === 'function';

async function importDawn(): Promise<DawnPackage> {
  try {
    const found: unknown = await import(PACKAGE);
    if (isDawn(found)) return found;
  } catch (cause) {
    throw new AnychipError('device', 'the npm package webgpu is not installed, or has no build for this machine', { hint: 'npm install webgpu', cause });
  }
  throw new AnychipError('device', 'the npm package webgpu is not what anychip knows', { hint: 'npm install webgpu@0.6' });
}

/** Dawn asks for the loader by its name, and is given one that is already there. */
async function loadLoader(folder: string | undefined): Promise<boolean> {
  const native = await openNative();
  for (const path of [LOADER, ...(folder === undefined ? [] : [join(folder, LOADER)])]) {
    try {
      native.open(path);
      return true;
    } catch {
      continue;
    }
  }
  return false;
}

const noDriver = (): AnychipError =>
  new AnychipError('device', 'there is no Vulkan driver on this machine', {
    hint: "Install the GPU vendor's driver with Vulkan (on Debian, libvulkan1 too); where there is no GPU, the package chromium brings a software one.",
  });

async function openGpu(): Promise<Gpu> {
  const dawn = await importDawn();
  if (process.platform !== 'linux') return dawn.create(DAWN_OPTIONS);
  const folder = SOFTWARE_FOLDERS.find((candidate) => existsSync(join(candidate, DRIVER)));
  if (!(await loadLoader(folder))) throw noDriver();
  const gpu = hasDriver() ? dawn.create(DAWN_OPTIONS) : undefined;
  if (gpu !== undefined && (folder === undefined || CHOSEN in process.env || (await gpu.requestAdapter()) !== null)) return gpu;
  if (folder === undefined) throw noDriver();
  process.env[CHOSEN] = join(folder, DRIVER);
  return dawn.create(DAWN_OPTIONS);
}

let opened: Promise<Gpu> | undefined;
export const openNodeGpu: OpenGpu = () => (opened ??= openGpu());
