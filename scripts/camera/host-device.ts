/** A camera of host processes, as `ocellus run` handles one. */
import type { DevelopmentCamera } from "./development.ts";
import type { HostCamera } from "./host.ts";

/** @param host ends with the device. */
export function hostDevice(host: HostCamera): DevelopmentCamera {
  return {
    directory: host.options.directory,
    cloudHost: "localhost",
    play: (play) => host.startEncoder(play),
    provision: (file) => host.provision(file),
    start: () => host.startAgent(),
    forgetProvisioning: () => host.forgetProvisioning(),
    check: () => host.check(),
    stop: () => host.stop(),
  };
}
