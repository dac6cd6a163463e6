export { Backoff, type BackoffOptions } from "./backoff.js";
export { type ClientOptions, type Ocid, OurchatClient, type Pushed, type To } from "./client.js";
export { OurchatError } from "./error.js";
export { ConnectionLost } from "./link.js";
export type * from "./messages.js";
