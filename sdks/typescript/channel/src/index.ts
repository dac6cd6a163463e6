export { Backoff, type BackoffOptions } from "./backoff.js";
export { ChannelClient, type ChannelMessage, type ClientOptions, type Gap, type ListenOptions } from "./client.js";
export { ChannelError, type Code, codes } from "./error.js";
export type { components, operations, paths } from "./api.js";
