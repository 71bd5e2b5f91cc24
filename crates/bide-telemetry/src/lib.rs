//! What operators see of the work: figures for Prometheus, one record per attempt, traces over OTLP.
//!
//! Owns the names of the figures and fields, and the way to an OTLP receiver. Never decides anything about an
//! invocation and never holds one up: what cannot be exported is dropped and counted. A crash loses what was not
//! exported yet; figures begin at zero again.
