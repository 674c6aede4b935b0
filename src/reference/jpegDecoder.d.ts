// The half of jpeg-js that reads, whose types the package declares for its whole alone.
declare module 'jpeg-js/lib/decoder.js' {
  export { decode as default } from 'jpeg-js';
}
