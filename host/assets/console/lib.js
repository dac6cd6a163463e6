// What every module of the console uses of the libraries in vendor/.
import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { render } from "./vendor/preact.js";
export { useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { batch, effect, signal } from "./vendor/signals.js";

export const html = htm.bind(h);
