//! Keeps plugins that block from stopping the gateway.
//!
//! Plugin calls are made on the network threads, and one that blocks holds its thread with all
//! tasks queued on it. Handing those tasks over before every call (`block_in_place`) costs more
//! than most calls take, so it is done only while there is reason to:
//!
//! * Each thread counts the calls it begins and ends: two stores and two loads per call.
//! * The watchdog's own thread looks at these counters every [`LOOK_PERIOD`] while there are
//!   calls, and sleeps when there are none. A call that it finds unchanged for [`STALL_TIME`] is a
//!   stall.
//! * One network thread is parked as a spare, in a task that waits. At a stall it is released and
//!   takes over the stalled threads' tasks. This works however many threads stall at once, since
//!   from that moment all calls are made in `block_in_place`.
//! * [`CALM_TIME`] after the last stalled call has ended, a thread is parked again, and calls are
//!   made directly once it is.
//!
//! So a plugin that blocks costs others at most `STALL_TIME + LOOK_PERIOD`, and once per
//! `CALM_TIME` at worst. Without a watchdog all calls are made in `block_in_place`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use std::{io, thread};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

/// How long a call may last before the spare thread is released: much longer than one that keeps
/// to the contract, also when a busy machine preempts it.
const STALL_TIME: Duration = Duration::from_millis(20);

/// How often calls are looked at. A stall is found this much later at most.
const LOOK_PERIOD: Duration = Duration::from_millis(10);

/// After this long without a call the watchdog sleeps, so that an idle gateway does.
const IDLE_TIME: Duration = Duration::from_secs(1);

/// How long calls are made in `block_in_place` after a stall has ended: a plugin that blocks again
/// and again stalls others once.
const CALM_TIME: Duration = Duration::from_secs(1);

/// One per process, as the counters are per thread.
static WATCHED: WatchedCalls = WatchedCalls {
    in_place: AtomicBool::new(true),
    asleep: AtomicBool::new(false),
    watchdog: Mutex::new(None),
    callers: Mutex::new(Vec::new()),
};

/// What the calling threads and the watchdog share.
struct WatchedCalls {
    /// Whether calls are made in `block_in_place`.
    in_place: AtomicBool,
    /// The watchdog sleeps; the next call wakes it.
    asleep: AtomicBool,
    watchdog: Mutex<Option<Thread>>,
    /// The threads that have called a plugin and have not ended.
    callers: Mutex<Vec<Caller>>,
}

/// A thread, as the watchdog sees it.
struct Caller {
    /// Calls begun plus calls ended: odd during a call.
    calls: Arc<AtomicU64>,
    seen: u64,
    /// Since when `calls` has not changed.
    since: Instant,
}

thread_local! {
    static OWN_CALLS: Arc<AtomicU64> = {
        let calls = Arc::<AtomicU64>::default();
        let caller = Caller { calls: calls.clone(), seen: 0, since: Instant::now() };
        WATCHED.callers.lock().push(caller);
        calls
    };
}

/// Makes a watched call. `call` takes whether to make it in `block_in_place`.
pub(crate) fn watch<T>(call: impl FnOnce(bool) -> T) -> T {
    OWN_CALLS.with(|calls| {
        let _ongoing = OngoingCall::begin(calls);
        call(WATCHED.in_place.load(Ordering::Relaxed))
    })
}

/// A call, until this is dropped.
struct OngoingCall<'a>(&'a AtomicU64);

impl<'a> OngoingCall<'a> {
    fn begin(calls: &'a AtomicU64) -> Self {
        // The store before the load: the watchdog does it in the opposite order before it sleeps,
        // so that one of the two sees the other.
        calls.store(calls.load(Ordering::Relaxed) + 1, Ordering::SeqCst);
        if WATCHED.asleep.load(Ordering::SeqCst) {
            WATCHED.watchdog.lock().iter().for_each(Thread::unpark);
        }
        Self(calls)
    }
}

impl Drop for OngoingCall<'_> {
    fn drop(&mut self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}

/// The watchdog's thread; there is one per process. Dropping it stops the thread.
pub struct StallWatchdog {
    thread: Option<JoinHandle<()>>,
    spare: Arc<SpareWorker>,
    stopping: Arc<AtomicBool>,
}

impl StallWatchdog {
    /// Parks one of the runtime's threads; there must be at least two. Must be dropped before the
    /// runtime.
    pub fn start(runtime: Handle) -> io::Result<Self> {
        let spare = Arc::<SpareWorker>::default();
        let stopping = Arc::<AtomicBool>::default();
        let watch = WatchLoop { runtime, spare: spare.clone(), in_place_until: Instant::now() };
        let run = {
            let stopping = stopping.clone();
            move || watch.run(&stopping)
        };
        let thread = thread::Builder::new().name("plugin-watchdog".into()).spawn(run)?;
        *WATCHED.watchdog.lock() = Some(thread.thread().clone());
        Ok(Self { thread: Some(thread), spare, stopping })
    }
}

impl Drop for StallWatchdog {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        *WATCHED.watchdog.lock() = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // `run` returns nothing, and a panic in it is in the log.
            drop(thread.join());
        }
        WATCHED.in_place.store(true, Ordering::Relaxed);
        self.spare.release();
    }
}

/// The state of the watchdog's loop.
struct WatchLoop {
    runtime: Handle,
    spare: Arc<SpareWorker>,
    in_place_until: Instant,
}

impl WatchLoop {
    fn run(mut self, stopping: &AtomicBool) {
        let mut last_call = Instant::now();
        while !stopping.load(Ordering::Relaxed) {
            let now = Instant::now();
            let observed = WATCHED.observe(now);
            self.act_on(observed, now);
            if observed != Observed::Idle || WATCHED.in_place.load(Ordering::Relaxed) {
                last_call = now;
            }
            if now - last_call < IDLE_TIME {
                thread::park_timeout(LOOK_PERIOD);
            } else {
                WATCHED.sleep();
                last_call = Instant::now();
            }
        }
    }

    fn act_on(&mut self, observed: Observed, now: Instant) {
        if observed == Observed::Stalled {
            self.in_place_until = now + CALM_TIME;
            // Before the spare is released, so that it does not stall as well.
            if !WATCHED.in_place.swap(true, Ordering::Relaxed) {
                tracing::debug!("a plugin call stalls: calls use block_in_place for a while");
            }
            self.spare.release();
        } else if WATCHED.in_place.load(Ordering::Relaxed) && now >= self.in_place_until {
            if self.spare.is_parked() {
                WATCHED.in_place.store(false, Ordering::Relaxed);
            } else {
                self.spare.request(&self.runtime);
            }
        }
    }
}

/// What a look at all threads found; the last that applies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Observed {
    /// No call since the last look.
    Idle,
    Calls,
    /// A call that has lasted for [`STALL_TIME`].
    Stalled,
}

impl WatchedCalls {
    fn observe(&self, now: Instant) -> Observed {
        let mut callers = self.callers.lock();
        // A thread that has ended has dropped its counter.
        callers.retain(|caller| Arc::strong_count(&caller.calls) > 1);
        callers.iter_mut().map(|caller| caller.observe(now)).max().unwrap_or(Observed::Idle)
    }

    /// Sleeps until there is a call.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.observe(Instant::now()) == Observed::Idle {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Caller {
    fn observe(&mut self, now: Instant) -> Observed {
        let calls = self.calls.load(Ordering::SeqCst);
        if calls != self.seen {
            (self.seen, self.since) = (calls, now);
            return Observed::Calls;
        }
        let is_ongoing = calls % 2 == 1;
        if !is_ongoing {
            Observed::Idle
        } else if now - self.since >= STALL_TIME {
            Observed::Stalled
        } else {
            Observed::Calls
        }
    }
}

/// A network thread that is kept free.
#[derive(Default)]
struct SpareWorker {
    state: Mutex<WorkerState>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum WorkerState {
    /// No thread is parked.
    #[default]
    Working,
    /// A task has been spawned that parks the thread that runs it.
    Requested,
    Parked,
}

impl SpareWorker {
    fn request(self: &Arc<Self>, runtime: &Handle) {
        let mut state = self.state.lock();
        if *state == WorkerState::Working {
            *state = WorkerState::Requested;
            let spare = self.clone();
            runtime.spawn(async move { spare.park() });
        }
    }

    /// Parks this thread until it is released.
    fn park(&self) {
        let mut state = self.state.lock();
        // It may have been released before this task ran, or an earlier task may have parked.
        if *state == WorkerState::Requested {
            *state = WorkerState::Parked;
            self.changed.wait_while(&mut state, |state| *state == WorkerState::Parked);
        }
    }

    fn release(&self) {
        *self.state.lock() = WorkerState::Working;
        self.changed.notify_all();
    }

    fn is_parked(&self) -> bool {
        *self.state.lock() == WorkerState::Parked
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn the_tasks_of_a_stalled_thread_go_on_and_later_calls_stall_none() {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(3).enable_all().build().unwrap();
        let watchdog = StallWatchdog::start(runtime.handle().clone()).unwrap();
        while WATCHED.in_place.load(Ordering::Relaxed) {
            runtime.block_on(async { tokio::spawn(async {}).await.unwrap() });
        }
        assert!(watchdog.spare.is_parked());

        let (begun, begins) = mpsc::channel();
        let ends: Vec<_> = (0..2)
            .map(|_| {
                let (begun, (end, ends)) = (begun.clone(), mpsc::channel::<()>());
                runtime.spawn(async move {
                    watch(|in_place| {
                        begun.send(in_place).unwrap();
                        ends.recv().unwrap();
                    });
                });
                end
            })
            .collect();
        let [first, _] = [(); 2].map(|()| begins.recv().unwrap());
        assert!(!first, "made directly; both threads but the spare are stalled now");
        let (done, goes_on) = mpsc::channel();
        runtime.spawn(async move { done.send(watch(|in_place| in_place)).unwrap() });
        assert!(goes_on.recv().unwrap(), "the next is made in block_in_place");

        ends.into_iter().for_each(|end| end.send(()).unwrap());
        drop(watchdog);
        assert!(WATCHED.in_place.load(Ordering::Relaxed));
    }

    #[test]
    fn a_call_stalls_when_the_counter_stays_the_same() {
        let begin = Instant::now();
        let calls = Arc::new(AtomicU64::new(0));
        let mut caller = Caller { calls: calls.clone(), seen: 0, since: begin };
        assert_eq!(caller.observe(begin + STALL_TIME), Observed::Idle);
        let ongoing = OngoingCall::begin(&calls);
        let at = begin + 2 * STALL_TIME;
        assert_eq!(caller.observe(at), Observed::Calls);
        assert_eq!(caller.observe(at + LOOK_PERIOD), Observed::Calls);
        assert_eq!(caller.observe(at + STALL_TIME), Observed::Stalled);
        drop(ongoing);
        let at = at + 2 * STALL_TIME;
        assert_eq!(caller.observe(at), Observed::Calls, "a call ended since the last look");
        let _another = OngoingCall::begin(&calls);
        assert_eq!(caller.observe(at + STALL_TIME), Observed::Calls, "another call");
        assert_eq!(caller.observe(at + 2 * STALL_TIME), Observed::Stalled);
    }
}
