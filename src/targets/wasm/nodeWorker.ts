// The script of a worker thread in Node.
import { parentPort } from 'node:worker_threads';
import { AnychipError } from '../../core/error.ts';
import { serve } from './workerThread.ts';

const port = parentPort;
if (port === null) throw new AnychipError('internal', 'this thread was started by nobody');
serve({ post: (message) => port.postMessage(message), onMessage: (listener) => void port.on('message', listener) });
