// The live stream of the gateway's figures: one for the whole console, while its tab can be seen.
import { batch, effect, signal } from "./lib.js";
import { path, session, stream } from "./api.js";

const FINE_MAX = 900;
const COARSE_MAX = 8640;
const COARSE_EVERY = 10;
const RETRY_MS_MAX = 10_000;

// Samples, the oldest first: of each second, and of each ten seconds.
export const fine = signal([]);
export const coarse = signal([]);
export const latest = signal(null);
// "open", "connecting" or the reason why there is none.
export const state = signal("connecting");

let running = null;

function add(sample) {
  const samples = fine.value.length >= FINE_MAX ? fine.value.slice(1 - FINE_MAX) : fine.value.slice();
  samples.push(sample);
  const last = coarse.value.at(-1);
  batch(() => {
    fine.value = samples;
    latest.value = sample;
    if (!last || sample.at_ms - last.at_ms >= COARSE_EVERY * 1000) {
      coarse.value = [...coarse.value.slice(1 - COARSE_MAX), mean(samples.slice(-COARSE_EVERY))];
    }
  });
}

// One sample for ten: the mean of what is known of each figure.
function mean(samples) {
  const last = samples.at(-1);
  const means = Object.keys(last).filter(name => name !== "at_ms").map(name => {
    const known = samples.map(sample => sample[name]).filter(Number.isFinite);
    return [name, known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null];
  });
  return { ...Object.fromEntries(means), at_ms: last.at_ms };
}

function take(name, data) {
  if (name === "history") {
    batch(() => {
      fine.value = data.fine.slice(-FINE_MAX);
      coarse.value = data.coarse.slice(-COARSE_MAX);
      latest.value = data.fine.at(-1) ?? latest.value;
      state.value = "open";
    });
  } else if (name === "sample") {
    add(data);
    state.value = "open";
  }
}

async function run(abort) {
  let wait = 1000;
  while (!abort.signal.aborted) {
    try {
      for await (const [name, data] of stream(path`/live`, { signal: abort.signal })) {
        take(name, data);
        wait = 1000;
      }
      state.value = "connecting";
    } catch (problem) {
      if (abort.signal.aborted) return;
      state.value = problem.message;
    }
    await new Promise(done => setTimeout(done, wait));
    wait = Math.min(wait * 2, RETRY_MS_MAX);
  }
}

function update() {
  const wanted = session.value && !document.hidden;
  if (wanted && !running) {
    running = new AbortController();
    run(running);
  } else if (!wanted && running) {
    running.abort();
    running = null;
  }
}

export function start() {
  document.addEventListener("visibilitychange", update);
  effect(update);
}
