//! How many descriptors the server may have open.
//!
//! An instance takes about five, a connection one; many systems allow 1024 unless one asks for more, out of regard for
//! programs that use `select(2)`. Instances have a limit of their own.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of this process as far as its user may.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_becomes_what_the_user_may_have() {
        let before = getrlimit(Resource::Nofile);
        let low = rustix::process::Rlimit { current: Some(512), ..before };
        setrlimit(Resource::Nofile, low).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }
}
