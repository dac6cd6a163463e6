export { Backoff, type BackoffOptions } from "./backoff.js";
export { type ClientOptions, type Info, type Room, TokenClient, type User } from "./client.js";
export { results, TokenError } from "./error.js";
export type { Gap, Message, Notification } from "./frames.js";
export { ConnectionLost } from "./link.js";
