// The version in package.json.
import { readFileSync } from 'node:fs';
import { packageFile } from '../core/packageFiles.ts';

const manifest: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
export const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
