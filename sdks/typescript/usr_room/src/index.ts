export { Backoff, type BackoffOptions } from "./backoff.js";
export { type ClientOptions, done, type Gap, type ListenOptions, type Room, type RoomMessage, UsrRoomClient } from "./client.js";
export { UsrRoomError } from "./error.js";
export type { components, operations, paths } from "./api.js";
