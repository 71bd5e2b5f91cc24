//! How many descriptors the server may have open, and what part of them are connections.
//!
//! An instance takes about five, a connection one; many systems allow 1024 unless one asks for more, out of regard for
//! programs that use `select(2)`. Instances have a limit of their own. Anybody can open connections, so they must leave
//! enough for everything else: a store that cannot open a file stops for good.

use bide_api::CONNECTIONS_MAX;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of this process as far as its user may.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// One descriptor in so many may be a connection.
const PART: u64 = 4;

/// How many connections this process has room for.
pub(crate) fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let connections = share_of(limit);
    if connections < CONNECTIONS_MAX {
        tracing::warn!(limit, connections, "the limit on open files allows fewer connections than usual");
    }
    connections
}

/// `None`: there is no limit.
fn share_of(limit: Option<u64>) -> usize {
    let share = limit.and_then(|limit| usize::try_from(limit / PART).ok());
    share.unwrap_or(CONNECTIONS_MAX).clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        for (limit, connections) in [(0, 1), (1024, 256), (16_384, 4096), (1 << 20, 4096), (u64::MAX, 4096)] {
            assert_eq!(share_of(Some(limit)), connections, "{limit}");
        }
        assert_eq!(share_of(None), CONNECTIONS_MAX);
    }

    #[test]
    fn the_limit_becomes_what_the_user_may_have() {
        let before = getrlimit(Resource::Nofile);
        let low = rustix::process::Rlimit { current: Some(512), ..before };
        setrlimit(Resource::Nofile, low).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }
}
