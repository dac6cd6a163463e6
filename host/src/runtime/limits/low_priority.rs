//! Threads for work that takes a core for a while: hashes of passwords, keys of TLS handshakes, long
//! reads of the store. They yield to the threads that serve connections.

use tokio::runtime::Runtime;

/// The niceness of the threads. A wake-up of a thread that serves connections then preempts their work,
/// which otherwise keeps its core for a whole time slice: with a core per hashing thread and 150
/// sign-ins a second, others' posts had a p99 above 20 ms.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// See the module.
#[derive(Debug)]
pub(crate) struct LowPriorityThreads(Option<Runtime>);

impl LowPriorityThreads {
    /// At most so many threads, which start when they are first needed. If the runtime cannot be made, the
    /// gateway's blocking threads do the work.
    pub(crate) fn new(name: &str, threads: usize) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.max_blocking_threads(threads).thread_name(name);
        #[cfg(target_os = "linux")]
        builder.on_thread_start(|| {
            // On Linux the niceness is the thread's own. A refusal leaves it as it was.
            let _ = rustix::process::nice(NICENESS);
        });
        match builder.build() {
            Ok(runtime) => Self(Some(runtime)),
            Err(error) => {
                tracing::warn!(%error, "{name} have the priority of other work");
                Self(None)
            }
        }
    }

    /// Has one of them do the work. Error: it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let done = match &self.0 {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        done.await.map_err(|error| error.to_string())
    }
}

impl Drop for LowPriorityThreads {
    fn drop(&mut self) {
        // Waiting for their work is not allowed in a task, where the last owner may end.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_work_yields_to_that_of_other_threads() {
        let own = rustix::process::nice(0).unwrap();
        let nice = || rustix::process::nice(0).unwrap();
        let theirs = LowPriorityThreads::new("tests", 1).run(nice).await;
        assert_eq!(theirs, Ok((own + NICENESS).min(19)));
        assert_eq!(rustix::process::nice(0), Ok(own));
    }
}
