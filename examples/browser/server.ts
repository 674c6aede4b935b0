// A static server for pages that share memory between threads: the two headers below make a page cross-origin isolated, and without them
// browsers keep WebAssembly to one thread. It serves files of the given folders and nothing else.
import { createReadStream, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { extname, join, sep } from 'node:path';

const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

/** Folders by the start of the paths that they answer, each ending in '/'. */
export type Folders = Readonly<Record<string, string>>;

/** The file behind a path; undefined where there is none, or it lies outside of its folder. */
function fileBehind(folders: Folders, path: string): string | undefined {
  // The longest start wins: '/' is that of all.
  const [prefix] = Object.keys(folders)
    .filter((start) => path.startsWith(start))
    .sort((a, b) => b.length - a.length);
  if (prefix === undefined || path.includes('\0')) return undefined;
  try {
    const root = realpathSync(folders[prefix]!);
    const file = realpathSync(join(root, path.slice(prefix.length) || 'index.html'));
    return file.startsWith(root + sep) && statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url, 'http://localhost').pathname);
  } catch {
    return '\0';
  }
}

/** `isolated: false` leaves the two headers out. */
export function createStaticServer(folders: Folders, { isolated = true }: { readonly isolated?: boolean } = {}): Server {
  const headers = { 'Cache-Control': 'no-cache', ...(isolated ? ISOLATION : {}) };
  return createServer((request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const file = isRead ? fileBehind(folders, pathOf(request.url ?? '/')) : undefined;
    if (file === undefined) {
      response.writeHead(404, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end('There is no such file.\n');
      return;
    }
    response.writeHead(200, { ...headers, 'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Content-Length': statSync(file).size });
    if (request.method === 'HEAD') response.end();
    else
      createReadStream(file)
        .on('error', () => response.destroy())
        .pipe(response);
  });
}

/** Listens on this machine alone, on any free port where none is given; resolves to the address. */
export function listen(server: Server, port = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(`http://localhost:${typeof address === 'object' && address !== null ? address.port : port}`);
    });
  });
}
