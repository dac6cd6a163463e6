//! Front ends loaded from a shared library: nothing they do wrong may stop the gateway.

pub(crate) mod calls;
pub(crate) mod fault_breaker;
pub(crate) mod stall_watchdog;
