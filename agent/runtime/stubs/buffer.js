// esbuild injects this where a library says `Buffer`.
export { Buffer } from "buffer/";
