//! The bounded queue between the threads that log and the one that writes.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines on their way to a writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// There are lines to write, or all lines are written.
    changed: Condvar,
    dropped: AtomicU64,
    bytes_max: usize,
}

struct Waiting {
    /// Whole lines, one after the other.
    bytes: Vec<u8>,
    lines: u64,
    /// The writer thread has taken lines and not written them yet.
    is_writing: bool,
}

impl Queue {
    pub(super) const fn new(bytes_max: usize) -> Self {
        let waiting = Waiting { bytes: Vec::new(), lines: 0, is_writing: false };
        Self {
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
            bytes_max,
        }
    }

    /// Appends a line. Drops and counts it if there is no room.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes.len() + line.len() > self.bytes_max {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes.extend_from_slice(line);
        waiting.lines += 1;
        drop(waiting);
        self.changed.notify_all();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes lines as they come, for as long as the process runs. Drops and counts those that the
    /// writer refuses.
    pub(super) fn write_to(&self, mut writer: impl Write) {
        let mut batch = Vec::new();
        loop {
            let lines = self.take(&mut batch);
            if writer.write_all(&batch).and_then(|()| writer.flush()).is_err() {
                self.dropped.fetch_add(lines, Ordering::Relaxed);
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for lines and moves them to `batch`; returns how many they are.
    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        batch.clear();
        let waiting = self.lock();
        let waiting = self.changed.wait_while(waiting, |waiting| waiting.lines == 0);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.bytes, batch);
        waiting.is_writing = true;
        std::mem::take(&mut waiting.lines)
    }

    /// Waits until all lines are written, at most for `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let waiting = self.lock();
        let is_pending = |waiting: &mut Waiting| waiting.lines > 0 || waiting.is_writing;
        // Whether it timed out makes no difference: the process ends.
        drop(self.changed.wait_timeout_while(waiting, timeout, is_pending));
    }

    /// No code between lock and unlock panics, and if it did, the lines would still be whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Announces each write, and then waits until it may go on.
    struct Gate {
        began: Sender<Vec<u8>>,
        go: Receiver<io::Result<()>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.began.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            self.go.recv().map_err(|_| ErrorKind::BrokenPipe)?.map(|()| bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> (Arc<Queue>, Receiver<Vec<u8>>, Sender<io::Result<()>>) {
        let queue = Arc::new(Queue::new(8));
        let (began, writes) = channel();
        let (open, go) = channel();
        let writing = queue.clone();
        thread::spawn(move || writing.write_to(Gate { began, go }));
        (queue, writes, open)
    }

    #[test]
    fn lines_that_find_no_room_are_dropped_and_counted() {
        let (queue, writes, open) = queue();
        queue.push(b"one\n");
        assert_eq!(writes.recv().unwrap(), b"one\n");
        // The writer is busy with the first; two more fit.
        for line in [b"two\n", b"tri\n", b"fou\n", b"fiv\n"] {
            queue.push(line);
        }
        assert_eq!(queue.dropped(), 2);
        open.send(Ok(())).unwrap();
        assert_eq!(writes.recv().unwrap(), b"two\ntri\n");
        open.send(Ok(())).unwrap();
        queue.flush(PATIENCE);
        queue.push(b"six\n");
        assert_eq!(writes.recv().unwrap(), b"six\n");
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn lines_that_the_writer_refuses_are_counted_and_later_ones_are_written() {
        let (queue, writes, open) = queue();
        queue.push(b"one\n");
        writes.recv().unwrap();
        open.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        queue.flush(PATIENCE);
        assert_eq!(queue.dropped(), 1);
        queue.push(b"two\n");
        assert_eq!(writes.recv().unwrap(), b"two\n");
    }

    #[test]
    fn flush_gives_up_on_a_writer_that_is_stuck() {
        let (queue, writes, _open) = queue();
        queue.push(b"one\n");
        writes.recv().unwrap();
        queue.flush(Duration::from_millis(1));
        assert_eq!(queue.dropped(), 0);
    }
}
