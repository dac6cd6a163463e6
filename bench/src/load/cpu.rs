//! CPU time of the client.

/// CPU time of this process so far, user and system, in seconds; 0 if unknown.
pub fn own_cpu_s() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
