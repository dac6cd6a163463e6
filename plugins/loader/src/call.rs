//! One call into a plugin, and the outputs that it emits.

use frontend_api::OptionFault;
use plugin_abi::{
    GW_MALFORMED, GW_OK, GW_OUT_REASON, GW_PANICKED, GW_TOO_MUCH, GwBytes, GwEmit, GwHost,
};

use crate::faults::FaultKind;

/// How many outputs a call may emit: more than one read from a socket has requests. The header
/// states the number.
pub const OUTPUTS_MAX: usize = 65_536;

/// How many bytes a call may emit: a whole backlog of the longest messages. The header states the
/// number.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The bytes of a reason that are kept.
const REASON_BYTES_MAX: usize = 1_000;

/// How many reasons are kept: one for each option.
const REASONS_MAX: usize = 100;

/// Receives the outputs of a call, except reasons.
pub(crate) trait Take {
    /// Receives one output. Refused: what is wrong with it, as the end of a sentence that begins
    /// with "it".
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String>;
}

/// For calls that may emit only reasons.
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
    /// The first fault in the outputs, and the code that `emit` returns for it.
    refused: Option<(i32, String)>,
}

/// Runs `work`, which passes its two arguments on to a function of the plugin.
pub(crate) fn call<T: Take, R>(
    taker: T,
    work: impl FnOnce(*mut GwHost, GwEmit) -> R,
) -> (R, Call<T>) {
    let mut call = Call { taker, outputs: 0, bytes: 0, reasons: Vec::new(), refused: None };
    let result = work((&raw mut call).cast(), emit::<T>);
    (result, call)
}

/// The function that the plugin calls. It must not panic.
unsafe extern "C" fn emit<T: Take>(
    host: *mut GwHost,
    kind: u32,
    payload: GwBytes,
    body: GwBytes,
) -> i32 {
    // SAFETY: the plugin passes back the pointer it got, during its call and on its thread;
    // nothing else uses it then.
    let call = unsafe { &mut *host.cast::<Call<T>>() };
    if !payload.is_sound() || !body.is_sound() {
        return call.refuse(GW_MALFORMED, "emitted a length without bytes".into());
    }
    // SAFETY: both are borrowed for this call, and not null.
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

    /// Notes the first fault, and returns its code.
    fn refuse(&mut self, code: i32, why: String) -> i32 {
        self.refused.get_or_insert((code, why)).0
    }

    fn keep_reason(&mut self, why: &[u8], key: &[u8]) {
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(OptionFault { key: words(key), why: words(why) });
        }
    }

    /// The outputs, if the plugin returned a code from 0 to `most` and all of them were valid.
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

    /// Why a function returned null.
    pub(crate) fn failed(self) -> Failure {
        let why = match self.refused {
            Some((_, why)) => {
                return Failure { kind: FaultKind::Malformed, why: format!("it {why}") };
            }
            None => self.reason().unwrap_or_else(|| "it returned null".into()),
        };
        Failure { kind: FaultKind::Panicked, why }
    }

    /// The plugin's reasons, each with the option at fault; if it gave none, what is wrong with its
    /// outputs.
    pub(crate) fn into_reasons(self) -> Vec<OptionFault> {
        match self.refused {
            Some((_, why)) if self.reasons.is_empty() => {
                vec![OptionFault::new("", format!("it {why}"))]
            }
            _ => self.reasons,
        }
    }

    fn reason(&self) -> Option<String> {
        self.reasons.first().map(|reason| reason.why.clone())
    }
}

/// A plugin's text, shortened and on one line for the log.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
    text.replace(char::is_control, " ")
}
