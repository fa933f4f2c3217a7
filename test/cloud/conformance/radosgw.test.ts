import { cameraDriver } from "./camera-code.ts";
import { startRadosgwTarget } from "./radosgw.ts";
import { sdkDriver } from "./sdk.ts";
import { conformance } from "./suite.ts";

conformance("radosgw", startRadosgwTarget, [sdkDriver, cameraDriver]);
