//! The supervisor: a small process of our own that makes sandboxes for one server.
//!
//! It is our own program executed again ([`take_over`]), so that it has one thread and little memory: cloning it is cheap
//! and safe. [`detach`] gives it namespaces, of which it is process 1: when the server dies, by whatever means, the kernel
//! ends the supervisor and with it every process of every instance. [`serve`] is its loop. It never runs user code and
//! never blocks on what user code does; [`undertaker`] waits for the kernel in its place. It holds no state that a crash could lose.

mod adopt;
mod confinement;
mod detach;
mod launch;
mod look;
mod serve;
mod undertaker;

use std::ffi::OsStr;

/// Name under which our program is executed as a supervisor.
pub(crate) const ARGUMENT: &str = "bide-sandbox-supervisor";

/// Goes on as a supervisor if the program was executed as one; returns otherwise.
///
/// Must be the first thing in `main` of a program that is given to [`crate::SandboxLauncher::start`].
pub fn take_over() {
    if std::env::args_os().next().as_deref() == Some(OsStr::new(ARGUMENT)) {
        detach::run();
    }
}
