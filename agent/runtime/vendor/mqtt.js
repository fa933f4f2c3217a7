// The one door to the MQTT library. Its client alone is taken: sockets, URLs and timers are the agent's own.
import client from "mqtt/lib/client";

export const MqttClient = client.default;
