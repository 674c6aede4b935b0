// The script of a worker in a browser.
import { browserPort } from './browserHost.ts';
import { serve } from './workerThread.ts';

serve(browserPort);
