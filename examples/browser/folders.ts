// What the page needs, by the path that it asks for.
import { fileURLToPath } from 'node:url';
import type { Folders } from './server.ts';

const from = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const folders: Folders = { '/': from('.'), '/anychip/': from('../../dist/web'), '/models/': from('../models'), '/images/': from('../images') };
