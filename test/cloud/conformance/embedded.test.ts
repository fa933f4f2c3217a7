import { cameraDriver } from "./camera-code.ts";
import { startEmbedded } from "./embedded.ts";
import { sdkDriver } from "./sdk.ts";
import { conformance } from "./suite.ts";

conformance("embedded store", startEmbedded, [sdkDriver, cameraDriver]);
