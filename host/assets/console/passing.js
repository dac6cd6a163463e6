// Frames as they pass: the newest ones, of a stream that can be paused.
import { html, useEffect, useRef, useState } from "./lib.js";
import { stream } from "./api.js";
import { t } from "./i18n.js";
import { FrameRow } from "./frames.js";

// What a page keeps, to save it; and what it shows.
const KEPT_MAX = 5000;
const SHOWN_MAX = 300;
// The page takes what has come in this often.
const EVERY_MS = 100;

// Follows a stream of frames: {frames, dropped, problem, isOpen, clear}. It ends with `address` null.
export function useFrames(address, query, isPaused) {
  const [state, setState] = useState({ frames: [], dropped: 0 });
  const arrived = useRef({ frames: [], dropped: 0 });
  const paused = useRef(isPaused);
  paused.current = isPaused;
  useEffect(() => {
    if (!address) return undefined;
    const abort = new AbortController();
    arrived.current = { frames: [], dropped: 0 };
    setState({ frames: [], dropped: 0, isOpen: true });
    follow(address, query, abort.signal, arrived, paused).then(
      () => setState(old => ({ ...old, isOpen: false })),
      problem => abort.signal.aborted || setState(old => ({ ...old, isOpen: false, problem })),
    );
    const timer = setInterval(() => take(arrived, setState), EVERY_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [address, JSON.stringify(query)]);
  return { ...state, clear: () => setState(old => ({ ...old, frames: [], dropped: 0 })) };
}

async function follow(address, query, signal, arrived, paused) {
  for await (const [name, data] of stream(address, { query, signal })) {
    const waiting = arrived.current;
    if (name === "dropped") waiting.dropped += data.count;
    if (name !== "frame" || paused.current) continue;
    waiting.frames.push(data);
    if (waiting.frames.length > KEPT_MAX) waiting.frames.shift();
  }
}

function take(arrived, setState) {
  const { frames, dropped } = arrived.current;
  if (!frames.length && !dropped) return;
  arrived.current = { frames: [], dropped: 0 };
  setState(old => ({
    ...old, frames: [...old.frames, ...frames].slice(-KEPT_MAX), dropped: old.dropped + dropped,
  }));
}

// The newest frames, at the end of a list that stays at its end while it is there.
export function Frames({ frames, label, isShort }) {
  const list = useRef(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [frames]);
  const onScroll = event => {
    const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
    isAtEnd.current = scrollTop + clientHeight >= scrollHeight - 20;
  };
  const hidden = Math.max(0, frames.length - SHOWN_MAX);
  return html`<div class="scroll passing" role="region" tabindex="0" aria-label=${label} ref=${list} onScroll=${onScroll}>
    ${hidden > 0 && html`<p class="muted">${t("frames.hidden", { count: hidden })}</p>`}
    <ul class="frames" aria-label=${label}>${frames.slice(hidden).map((frame, at) => html`
      <${FrameRow} key=${frame.key ?? hidden + at} frame=${frame} isShort=${isShort} isNarrow />`)}</ul>
    ${!frames.length && html`<p class="muted">${t("frames.none")}</p>`}
  </div>`;
}

export function Dropped({ count }) {
  return count ? html`<span class="state warn">${t("frames.dropped", { count })}</span>` : null;
}
