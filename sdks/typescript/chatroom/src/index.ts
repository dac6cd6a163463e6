export { Backoff, type BackoffOptions } from "./backoff.js";
export { ChatroomClient, type ClientOptions, type Packet } from "./client.js";
export { ChatroomError } from "./error.js";
export { ConnectionLost } from "./link.js";
export type { components, operations, paths } from "./api.js";
export type * from "./packets.js";
