/** The bundle's entry. The polyfills come first: the libraries below look for globals as they load. */
import "./runtime/polyfills.ts";
import { startCamera } from "./camera.ts";
import { makePipeline } from "./pipeline.ts";
import { seedNacl } from "./runtime/nacl.ts";

seedNacl(native);
startCamera(native, makePipeline);
