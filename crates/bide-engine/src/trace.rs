//! Trace contexts: which trace an invocation belongs to, and which span stands for what.
//!
//! Owns the derivation of ids. They follow from what is stored (request id, invocation, lease), never from chance, so the
//! attempts of one invocation are in one trace whatever crashes between them. Never sends anything: observers do.

use bide_core::{Delivery, Epoch, Invocation};
use bide_runtime::Tracing;
use bide_types::{InvocationId, RequestId, Timestamp, TraceParent};
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

/// Which traces are recorded that no caller decided about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// From 0, none, to 1, all.
    pub ratio: f64,
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
        Root::of(&invocation.request_id, invocation.id, invocation.parent, sampling).0
    }

    pub(crate) fn of_attempt(invocation: &Invocation, sampling: Sampling) -> Self {
        let Epoch(epoch) = invocation.epoch;
        let root = Root::of(&invocation.request_id, invocation.id, invocation.parent, sampling);
        root.above(invocation.id, [b"attempt", &epoch.to_be_bytes()])
    }

    /// Of one attempt to deliver; after a redrive they count anew, so the time is part of it.
    pub(crate) fn of_delivery(delivery: &Delivery, began_at: Timestamp, sampling: Sampling) -> Self {
        let root = Root::of(&delivery.request_id, delivery.invocation, delivery.parent, sampling);
        root.above(delivery.invocation, [b"delivery", &began_at.as_micros().to_be_bytes()])
    }

    /// What a call that this span makes is told.
    pub(crate) fn as_parent(&self) -> TraceParent {
        TraceParent { trace: self.trace, span: self.span, sampled: self.sampled }
    }

    /// In the form of FC (fc-behaviour 7.3): `trace:span:parent:flags` in hexadecimal.
    pub fn context(&self) -> String {
        let parent = self.parent.map_or_else(|| "0".to_owned(), |parent| text(&parent));
        format!("{}:{}:{parent}:{}", text(&self.trace), text(&self.span), u8::from(self.sampled))
    }

    /// What the function is told.
    pub(crate) fn tell(&self, mut tracing: Tracing) -> Tracing {
        tracing.span_context = Some(self.context());
        tracing
    }
}

/// The span that all others of an invocation are part of.
struct Root(SpanIds);

impl Root {
    fn of(request_id: &RequestId, id: InvocationId, caller: Option<TraceParent>, sampling: Sampling) -> Self {
        let trace = caller.map_or_else(|| trace_of(request_id), |caller| caller.trace);
        let sampled = caller.map_or_else(|| sampling.takes(&trace), |caller| caller.sampled);
        let span = derive(&[b"queue", &trace, &id.get().to_be_bytes()]);
        Self(SpanIds { trace, span, parent: caller.map(|caller| caller.span), sampled })
    }

    /// The span of a part of it.
    fn above(&self, id: InvocationId, part: [&[u8]; 2]) -> SpanIds {
        let Self(root) = self;
        let span = derive(&[part[0], &root.trace, &id.get().to_be_bytes(), part[1]]);
        SpanIds { span, parent: Some(root.span), ..*root }
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

#[cfg(test)]
mod tests;
