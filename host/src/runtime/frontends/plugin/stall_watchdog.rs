//! Looks at how long calls into plugins last.
//!
//! Calls are made on the threads of the network, and one that blocks holds its thread. One of the
//! threads is held in reserve, by a task that waits. When a call lasts long it is let go, and goes
//! on with what the others cannot get to. From then on, until no call lasts long any more, all are
//! made apart, so that none holds a thread; then a thread is held in reserve again.
//!
//! What a call costs by this is two stores and two looks. The sentry's own thread looks a hundred
//! times a second while there are calls, and sleeps while there are none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;
use std::{io, thread};

use tokio::runtime::Handle;

use crate::runtime::bounds::{APART_AT_LEAST, CALL_LONG, CALLS_LOOK_PERIOD, CALLS_QUIET};

/// Whether calls are to be made apart. They are at first, and wherever there is no sentry.
static ALL_APART: AtomicBool = AtomicBool::new(true);

/// The sentry sleeps, and whoever makes a call wakes it.
static ASLEEP: AtomicBool = AtomicBool::new(false);

/// The sentry's thread.
static SENTRY: Mutex<Option<Thread>> = Mutex::new(None);

/// The threads that have ever called a plugin, and are there still.
static CALLERS: Mutex<Vec<Caller>> = Mutex::new(Vec::new());

/// A thread, as the sentry sees it.
struct Caller {
    /// How many calls it has begun, and how many have ended: odd while one lasts.
    calls: Arc<AtomicU64>,
    seen: u64,
    /// Since when that has not changed.
    since: Instant,
}

thread_local! {
    static OWN_CALLS: Arc<AtomicU64> = {
        let calls = Arc::<AtomicU64>::default();
        callers().push(Caller { calls: calls.clone(), seen: 0, since: Instant::now() });
        calls
    };
}

fn callers() -> MutexGuard<'static, Vec<Caller>> {
    CALLERS.lock().expect("nothing panics while it holds the callers")
}

fn sentry() -> MutexGuard<'static, Option<Thread>> {
    SENTRY.lock().expect("nothing panics while it holds the sentry")
}

/// Makes a call that is looked at. `call` is told whether to make it apart.
pub(crate) fn watch<T>(call: impl FnOnce(bool) -> T) -> T {
    OWN_CALLS.with(|calls| {
        let _lasting = Lasting::begin(calls);
        call(ALL_APART.load(Ordering::Relaxed))
    })
}

/// A call, until this is dropped.
struct Lasting<'a>(&'a AtomicU64);

impl<'a> Lasting<'a> {
    fn begin(calls: &'a AtomicU64) -> Self {
        // First this, then the look: the sentry does it the other way round before it sleeps, so
        // that one of the two is seen.
        calls.store(calls.load(Ordering::Relaxed) + 1, Ordering::SeqCst);
        if ASLEEP.load(Ordering::SeqCst) {
            sentry().iter().for_each(Thread::unpark);
        }
        Self(calls)
    }
}

impl Drop for Lasting<'_> {
    fn drop(&mut self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}

/// The thread that looks. There is one in a process, and it is gone when this is dropped.
pub struct Sentry {
    thread: Option<JoinHandle<()>>,
    reserve: Arc<Reserve>,
    ends: Arc<AtomicBool>,
}

impl Sentry {
    /// Holds one of the runtime's threads in reserve, of which there must be two at least. Is to
    /// be dropped before the runtime.
    pub fn start(runtime: Handle) -> io::Result<Self> {
        let (reserve, ends) = (Arc::<Reserve>::default(), Arc::<AtomicBool>::default());
        let round = Round { runtime, reserve: reserve.clone(), apart_until: Instant::now() };
        let until = ends.clone();
        let run = move || round.go_on(&until);
        let thread = thread::Builder::new().name("plugin-sentry".into()).spawn(run)?;
        *sentry() = Some(thread.thread().clone());
        Ok(Self { thread: Some(thread), reserve, ends })
    }
}

impl Drop for Sentry {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        *sentry() = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing to tell.
            drop(thread.join());
        }
        ALL_APART.store(true, Ordering::Relaxed);
        self.reserve.let_go();
    }
}

/// What the sentry goes by.
struct Round {
    runtime: Handle,
    reserve: Arc<Reserve>,
    apart_until: Instant,
}

impl Round {
    fn go_on(mut self, ends: &AtomicBool) {
        let mut last_call = Instant::now();
        while !ends.load(Ordering::Relaxed) {
            let now = Instant::now();
            let look = look(now);
            self.act_on(look, now);
            if look != Look::Quiet || ALL_APART.load(Ordering::Relaxed) {
                last_call = now;
            }
            match now - last_call < CALLS_QUIET {
                true => thread::park_timeout(CALLS_LOOK_PERIOD),
                false => {
                    sleep();
                    last_call = Instant::now();
                }
            }
        }
    }

    fn act_on(&mut self, look: Look, now: Instant) {
        if look == Look::Long {
            self.apart_until = now + APART_AT_LEAST;
            // First this: whatever the reserve does, it does not get stuck as well.
            if !ALL_APART.swap(true, Ordering::Relaxed) {
                tracing::debug!("a call into a plugin lasts long: for a while all are made apart");
            }
            self.reserve.let_go();
        } else if ALL_APART.load(Ordering::Relaxed) && now >= self.apart_until {
            match self.reserve.is_held() {
                true => ALL_APART.store(false, Ordering::Relaxed),
                false => self.reserve.hold_one_of(&self.runtime),
            }
        }
    }
}

/// Until there is a call.
fn sleep() {
    ASLEEP.store(true, Ordering::SeqCst);
    if look(Instant::now()) == Look::Quiet {
        thread::park();
    }
    ASLEEP.store(false, Ordering::SeqCst);
}

/// What there is to see, the last that applies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Look {
    /// No call since the last look.
    Quiet,
    Calls,
    /// A call that lasts long.
    Long,
}

fn look(now: Instant) -> Look {
    let mut callers = callers();
    // Threads that have ended have let go of theirs.
    callers.retain(|caller| Arc::strong_count(&caller.calls) > 1);
    callers.iter_mut().map(|caller| caller.look(now)).max().unwrap_or(Look::Quiet)
}

impl Caller {
    fn look(&mut self, now: Instant) -> Look {
        let calls = self.calls.load(Ordering::SeqCst);
        if calls != self.seen {
            (self.seen, self.since) = (calls, now);
            return Look::Calls;
        }
        match (calls % 2 == 1, now - self.since >= CALL_LONG) {
            (false, _) => Look::Quiet,
            (true, false) => Look::Calls,
            (true, true) => Look::Long,
        }
    }
}

/// A thread of the network that has nothing to do.
#[derive(Default)]
struct Reserve {
    place: Mutex<Place>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    /// It works like the others.
    #[default]
    AtWork,
    /// A task has been spawned that is to hold whichever thread comes to it.
    Called,
    Held,
}

impl Reserve {
    fn hold_one_of(self: &Arc<Self>, runtime: &Handle) {
        let mut place = self.place();
        if *place == Place::AtWork {
            *place = Place::Called;
            let reserve = self.clone();
            runtime.spawn(async move { reserve.hold() });
        }
    }

    /// Holds this thread until it is let go.
    fn hold(&self) {
        let mut place = self.place();
        // It may have been let go before it came to this, or be held by an earlier task.
        if *place == Place::Called {
            *place = Place::Held;
            let let_go = self.changed.wait_while(place, |place| *place == Place::Held);
            drop(let_go.expect("nothing panics while it holds the reserve's place"));
        }
    }

    fn let_go(&self) {
        *self.place() = Place::AtWork;
        self.changed.notify_all();
    }

    fn is_held(&self) -> bool {
        *self.place() == Place::Held
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("nothing panics while it holds the reserve's place")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn the_tasks_of_a_thread_that_a_call_holds_go_on_and_later_calls_hold_none() {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(3).enable_all().build().unwrap();
        let sentry = Sentry::start(runtime.handle().clone()).unwrap();
        while ALL_APART.load(Ordering::Relaxed) {
            runtime.block_on(async { tokio::spawn(async {}).await.unwrap() });
        }
        assert!(sentry.reserve.is_held());

        let (begun, begins) = mpsc::channel();
        let ends: Vec<_> = (0..2)
            .map(|_| {
                let (begun, (end, ends)) = (begun.clone(), mpsc::channel::<()>());
                runtime.spawn(async move {
                    watch(|all_apart| {
                        begun.send(all_apart).unwrap();
                        ends.recv().unwrap();
                    });
                });
                end
            })
            .collect();
        let [first, _] = [(); 2].map(|()| begins.recv().unwrap());
        assert!(!first, "it is made as it is; both threads but the reserve are held now");
        let (done, goes_on) = mpsc::channel();
        runtime.spawn(async move { done.send(watch(|all_apart| all_apart)).unwrap() });
        assert!(goes_on.recv().unwrap(), "the next is made apart");

        ends.into_iter().for_each(|end| end.send(()).unwrap());
        drop(sentry);
        assert!(ALL_APART.load(Ordering::Relaxed));
    }

    #[test]
    fn a_call_is_long_when_it_is_the_same_for_long() {
        let begin = Instant::now();
        let (calls, seen) = (Arc::new(AtomicU64::new(0)), 0);
        let mut caller = Caller { calls: calls.clone(), seen, since: begin };
        assert_eq!(caller.look(begin + CALL_LONG), Look::Quiet);
        let lasting = Lasting::begin(&calls);
        let at = begin + 2 * CALL_LONG;
        assert_eq!(caller.look(at), Look::Calls);
        assert_eq!(caller.look(at + CALLS_LOOK_PERIOD), Look::Calls);
        assert_eq!(caller.look(at + CALL_LONG), Look::Long);
        drop(lasting);
        let at = at + 2 * CALL_LONG;
        assert_eq!(caller.look(at), Look::Calls, "there was one since");
        let _another = Lasting::begin(&calls);
        assert_eq!(caller.look(at + CALL_LONG), Look::Calls, "it is another");
        assert_eq!(caller.look(at + 2 * CALL_LONG), Look::Long);
    }
}
