//! Precise wake-ups. epoll waits for whole milliseconds, which would turn an even rate into bursts
//! that a server can answer together; a timerfd is more exact.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    file: rustix::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use rustix::fd::AsRawFd as _;
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let mut source = mio::unix::SourceFd(&file.as_raw_fd());
        registry.register(&mut source, token, mio::Interest::READABLE)?;
        Ok(Self { file })
    }

    /// Arms the timer, and returns the maximum time to wait for events.
    pub(super) fn arm(&self, wait: Duration) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        // 0 would disarm it.
        let wait = wait.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let new = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.file, TimerfdTimerFlags::empty(), &new)?;
        Ok(None)
    }
}

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(super) fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The maximum time to wait for events.
    pub(super) fn arm(&self, wait: Duration) -> io::Result<Option<Duration>> {
        Ok(Some(wait))
    }
}
