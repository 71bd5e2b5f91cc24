//! Numbers of the plain enums. A number is given once and never used again.

use bide_core::{CallKind, DestinationStatus, FunctionError, Slot, Status};

use crate::keys::codec::Undecodable;

macro_rules! numbers {
    ($to:ident, $from:ident, $type:ident, $what:literal, $($variant:ident = $number:literal,)*) => {
        pub(crate) const fn $to(value: $type) -> u8 {
            match value { $($type::$variant => $number,)* }
        }

        pub(crate) fn $from(number: u8) -> Result<$type, Undecodable> {
            match number {
                $($number => Ok($type::$variant),)*
                _ => Err(Undecodable::new(format!(concat!("{} is no ", $what), number))),
            }
        }
    };
}

numbers!(
    status,
    to_status,
    Status,
    "status",
    Enqueued = 1,
    Dequeued = 2,
    Running = 3,
    Retrying = 4,
    Stopping = 5,
    Succeeded = 6,
    Failed = 7,
    Stopped = 8,
    Expired = 9,
    Invalid = 10,
);
numbers!(
    destination,
    to_destination,
    DestinationStatus,
    "destination status",
    None = 1,
    Pending = 2,
    Delivered = 3,
    Failed = 4,
    DeadLettered = 5,
);
numbers!(kind, to_kind, CallKind, "kind of call", Event = 1, Http = 2,);
numbers!(slot, to_slot, Slot, "destination slot", Success = 1, Failure = 2,);
numbers!(
    function_error,
    to_function_error,
    FunctionError,
    "function error",
    Handled = 1,
    Unhandled = 2,
    TimedOut = 3,
    OutOfMemory = 4,
);
