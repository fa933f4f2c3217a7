// The one door to readable-stream, which the MQTT library needs of its stream.
export { Writable } from "readable-stream";
