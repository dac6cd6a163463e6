//! One call into a plugin, and what it emits meanwhile.

use frontend_api::OptionFault;
use plugin_abi::{
    GW_MALFORMED, GW_OK, GW_OUT_REASON, GW_PANICKED, GW_TOO_MUCH, GwBytes, GwEmit, GwHost,
};

use crate::faults::FaultKind;

/// How many outputs a call may emit: more than the smallest requests of any dialect that fit in
/// one read from a socket. The number is in the header.
pub const OUTPUTS_MAX: usize = 65_536;

/// How many bytes a call may emit: a whole backlog of the longest messages. In the header too.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of a reason is kept.
const REASON_BYTES_MAX: usize = 1_000;

/// How many reasons are kept: one an option.
const REASONS_MAX: usize = 100;

/// What a call may emit, besides reasons.
pub(crate) trait Take {
    /// Takes one output in. Refused: what is wrong with it, as the end of a sentence that begins
    /// with "it".
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String>;
}

/// For calls that may emit nothing.
pub(crate) struct Nothing;

impl Take for Nothing {
    fn take(&mut self, kind: u32, _: &[u8], _: &[u8]) -> Result<(), String> {
        Err(format!("emitted {kind} where nothing is expected"))
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FaultKind,
    pub(crate) why: String,
}

impl Failure {
    pub(crate) fn malformed(why: &str) -> Self {
        Self { kind: FaultKind::Malformed, why: why.into() }
    }
}

/// A call under way.
pub(crate) struct Call<T> {
    taker: T,
    outputs: usize,
    bytes: usize,
    reasons: Vec<OptionFault>,
    /// The first thing wrong with what was emitted, and the code that says so.
    refused: Option<(i32, String)>,
}

/// Has `work` call a function of the plugin, with these two as its last arguments.
pub(crate) fn call<T: Take, R>(
    taker: T,
    work: impl FnOnce(*mut GwHost, GwEmit) -> R,
) -> (R, Call<T>) {
    let mut call = Call { taker, outputs: 0, bytes: 0, reasons: Vec::new(), refused: None };
    let result = work((&raw mut call).cast(), emit::<T>);
    (result, call)
}

/// What the plugin calls. Nothing in it panics.
unsafe extern "C" fn emit<T: Take>(
    host: *mut GwHost,
    kind: u32,
    payload: GwBytes,
    body: GwBytes,
) -> i32 {
    // SAFETY: the plugin passes back what it was given for the length of its call, on that call's
    // thread; nobody else has it meanwhile.
    let call = unsafe { &mut *host.cast::<Call<T>>() };
    // SAFETY: both are borrowed for this call.
    let (payload, body) = unsafe { (payload.as_slice(), body.as_slice()) };
    call.take(kind, payload, body)
}

impl<T: Take> Call<T> {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> i32 {
        if let Some((code, _)) = self.refused {
            return code;
        }
        if kind == GW_OUT_REASON {
            self.keep_reason(payload, body);
            return GW_OK;
        }
        self.outputs += 1;
        self.bytes = self.bytes.saturating_add(payload.len()).saturating_add(body.len());
        if self.outputs > OUTPUTS_MAX {
            return self.refuse(GW_TOO_MUCH, format!("emitted more than {OUTPUTS_MAX} outputs"));
        }
        if self.bytes > OUTPUT_BYTES_MAX {
            return self.refuse(GW_TOO_MUCH, format!("emitted more than {OUTPUT_BYTES_MAX} bytes"));
        }
        match self.taker.take(kind, payload, body) {
            Ok(()) => GW_OK,
            Err(why) => self.refuse(GW_MALFORMED, why),
        }
    }

    fn refuse(&mut self, code: i32, why: String) -> i32 {
        self.refused = Some((code, why));
        code
    }

    fn keep_reason(&mut self, why: &[u8], key: &[u8]) {
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(OptionFault { key: words(key), why: words(why) });
        }
    }

    /// What was taken, if the plugin returned a code from 0 to `most` and nothing was wrong.
    pub(crate) fn end(self, code: i32, most: i32) -> Result<(i32, T), Failure> {
        if let Some((_, why)) = self.refused {
            return Err(Failure { kind: FaultKind::Malformed, why: format!("it {why}") });
        }
        if (GW_OK..=most).contains(&code) {
            return Ok((code, self.taker));
        }
        let kind = if code == GW_PANICKED { FaultKind::Panicked } else { FaultKind::Malformed };
        Err(Failure { kind, why: self.reason().unwrap_or_else(|| format!("it returned {code}")) })
    }

    /// Why it failed, for functions that return null then.
    pub(crate) fn failed(self) -> Failure {
        let why = match self.refused {
            Some((_, why)) => {
                return Failure { kind: FaultKind::Malformed, why: format!("it {why}") };
            }
            None => self.reason().unwrap_or_else(|| "it returned null".into()),
        };
        Failure { kind: FaultKind::Panicked, why }
    }

    /// The plugin's reasons, each with the option at fault.
    pub(crate) fn into_reasons(self) -> Vec<OptionFault> {
        self.reasons
    }

    fn reason(&self) -> Option<String> {
        self.reasons.first().map(|reason| reason.why.clone())
    }
}

/// Somebody else's words, as far as they can be shown: in one line of a log.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
    text.replace(char::is_control, " ")
}
