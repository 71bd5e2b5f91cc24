//! Trace contexts: which trace an invocation belongs to, and which span stands for what.
//!
//! Owns the derivation of ids. They follow from what is stored (request id, invocation, lease), never from chance, so the
//! attempts of one invocation are in one trace whatever crashes between them. Never sends anything: observers do.

use bide_core::{Delivery, Epoch, Invocation};
use bide_runtime::Tracing;
use bide_types::{InvocationId, RequestId, Timestamp};
use sha2::{Digest, Sha256};

/// A span as others name it (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    /// The span that this one is part of.
    pub parent: Option<[u8; 8]>,
    /// Whether it is to be recorded.
    pub sampled: bool,
}

/// The context that a caller sent: its trace and its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    pub sampled: bool,
}

/// Which traces are recorded that no caller decided about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// From 0, none, to 1, all.
    pub ratio: f64,
}

impl TraceParent {
    /// Reads the header `traceparent`. What is not of its form counts as none, as the standard says.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = hex::<1>(version)?[0];
        // Later versions may have more parts; this one has not.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let parent = Self { trace: hex(trace)?, span: hex(span)?, sampled: hex::<1>(flags)?[0] & 1 == 1 };
        (parent.trace != [0; 16] && parent.span != [0; 8]).then_some(parent)
    }
}

impl SpanIds {
    /// The span of a synchronous call that began at `began_at`.
    pub(crate) fn of_call(
        request_id: &RequestId,
        began_at: Timestamp,
        caller: Option<TraceParent>,
        sampling: Sampling,
    ) -> Self {
        let trace = caller.map_or_else(|| trace_of(request_id), |caller| caller.trace);
        let span =
            derive(&[b"call", &trace, request_id.as_str().as_bytes(), &began_at.as_micros().to_be_bytes()]);
        let sampled = caller.map_or_else(|| sampling.takes(&trace), |caller| caller.sampled);
        Self { trace, span, parent: caller.map(|caller| caller.span), sampled }
    }

    /// From acceptance until the first attempt; the parent of all else of an invocation.
    pub(crate) fn of_queue(invocation: &Invocation, sampling: Sampling) -> Self {
        let trace = trace_of(&invocation.request_id);
        let span = root(&trace, invocation.id);
        Self { trace, span, parent: None, sampled: sampling.takes(&trace) }
    }

    pub(crate) fn of_attempt(invocation: &Invocation, sampling: Sampling) -> Self {
        let Epoch(epoch) = invocation.epoch;
        let number = epoch.to_be_bytes();
        Self::below(&invocation.request_id, invocation.id, [b"attempt", &number], sampling)
    }

    /// Of one attempt to deliver; after a redrive they count anew, so the time is part of it.
    pub(crate) fn of_delivery(delivery: &Delivery, began_at: Timestamp, sampling: Sampling) -> Self {
        let number = began_at.as_micros().to_be_bytes();
        Self::below(&delivery.request_id, delivery.invocation, [b"delivery", &number], sampling)
    }

    fn below(request_id: &RequestId, id: InvocationId, what: [&[u8]; 2], sampling: Sampling) -> Self {
        let trace = trace_of(request_id);
        let span = derive(&[what[0], &trace, &id.get().to_be_bytes(), what[1]]);
        Self { trace, span, parent: Some(root(&trace, id)), sampled: sampling.takes(&trace) }
    }

    /// What the function is told, in the form of FC (fc-behaviour 7.3): `trace:span:parent:flags` in hexadecimal.
    pub(crate) fn tell(&self, mut tracing: Tracing) -> Tracing {
        let parent = self.parent.map_or_else(|| "0".to_owned(), |parent| text(&parent));
        let flags = u8::from(self.sampled);
        tracing.span_context = Some(format!("{}:{}:{parent}:{flags}", text(&self.trace), text(&self.span)));
        tracing
    }
}

impl Sampling {
    /// The same for every span of a trace, before and after a restart.
    fn takes(self, trace: &[u8; 16]) -> bool {
        let [.., a, b, c, d] = *trace;
        let place = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        place < self.ratio
    }
}

fn trace_of(request_id: &RequestId) -> [u8; 16] {
    derive(&[b"trace", request_id.as_str().as_bytes()])
}

fn root(trace: &[u8; 16], id: InvocationId) -> [u8; 8] {
    derive(&[b"queue", trace, &id.get().to_be_bytes()])
}

fn derive<const BYTES: usize>(parts: &[&[u8]]) -> [u8; BYTES] {
    let mut digest = Sha256::new().chain_update("bide span\0");
    for part in parts {
        digest = digest.chain_update(part.len().to_be_bytes()).chain_update(part);
    }
    *digest.finalize().first_chunk().expect("a digest has 32 bytes")
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `BYTES` bytes in lower-case hexadecimal, as the standard demands.
fn hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let fits = text.len() == 2 * BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; BYTES];
    if !fits {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
