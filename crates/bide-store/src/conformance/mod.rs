//! The suite that every store must pass: what the [`Store`] contract says, as named tests.
//!
//! A store implements [`Subject`] (and [`Faulty`], if a write can be made to fail) and expands [`crate::conformance!`]
//! in its tests, each check on a store of its own:
//!
//! ```ignore
//! async fn on_disk() -> OnDisk { ... } // an empty store
//!
//! bide_store::conformance!(on_disk);
//! bide_store::conformance_faults!(on_disk);
//! ```
//!
//! Most checks tell one rule. `random` compares every read with the in-memory model, batch after batch; when it fails,
//! it names the seed and the batch, and the same test fails again in the same way.

pub mod claims;
mod driver;
pub mod faults;
pub mod lifecycle;
pub mod random;
mod reads;
mod script;
pub mod stops;

use std::future::Future;

use crate::store::Store;

/// An open store on data of its own.
pub trait Subject: Send + Sync + Sized + 'static {
    fn store(&self) -> &dyn Store;

    /// What a crash of the process and a new start leave: drops the store without closing it, opens its data again.
    fn reopen(self) -> impl Future<Output = Self> + Send;
}

/// A store whose writes can be made to fail.
pub trait Faulty: Subject {
    /// Lets `commits` more commits succeed; the next one fails, as if the disk had refused it.
    fn fail_after(&self, commits: u64);
}

/// Expands to one `#[tokio::test]` per check, each on the store that `$make().await` gives: an [`Subject`] that is
/// empty. The crate needs tokio with `macros` and `rt`.
#[macro_export]
macro_rules! conformance {
    ($make:ident) => {
        $crate::conformance! { @checks $make;
            lifecycle {
                a_task_goes_from_submission_to_success
                a_failed_attempt_is_retried_when_due
                a_task_id_is_taken_once_per_function
                a_plain_record_goes_when_it_settles
                a_plain_record_stays_while_its_delivery_is_pending
                a_rejected_transition_changes_nothing
                what_does_not_exist_is_not_found
                an_empty_batch_changes_nothing
            }
            claims {
                work_is_claimed_in_the_order_of_due_times
                nothing_is_claimed_before_it_is_due
                a_claim_hands_out_at_most_what_it_wants
                two_claims_in_one_batch_never_share_work
                a_claim_for_nothing_only_drops_what_is_too_old
                a_claim_settles_what_is_too_old_on_its_way
                a_claim_settles_a_bounded_number
                work_for_a_qualifier_that_is_gone_is_invalid
                a_claim_does_not_see_the_submissions_of_its_own_batch
                a_claim_passes_over_what_its_own_batch_stopped
                a_long_line_is_handed_out_once_and_in_order
                waiting_names_each_function_with_its_first_due_time
            }
            stops {
                a_deferred_task_is_stopped_at_once
                a_task_in_line_is_stopped_at_once
                a_task_that_backs_off_is_stopped_at_once
                a_task_that_waits_for_a_retry_is_stopped_at_once
                a_dequeued_task_is_stopping_until_its_holder_answers
                a_running_task_is_stopping_until_its_instance_is_gone
                a_success_that_comes_after_the_stop_ends_as_stopped
                a_settled_task_is_not_changed_by_a_stop
                a_task_can_be_stopped_in_the_batch_that_submits_it
            }
        }
        $crate::conformance! { @stories $make;
            random {
                every_read_agrees_with_the_model
                every_read_survives_a_reopen
            }
        }
    };
    (@checks $make:ident; $($theme:ident { $($check:ident)* })*) => {
        $(mod $theme {
            $(#[tokio::test]
            async fn $check() {
                $crate::conformance::$theme::$check(super::$make().await).await;
            })*
        })*
    };
    (@stories $make:ident; $($theme:ident { $($check:ident)* })*) => {
        $(mod $theme {
            $(#[tokio::test]
            async fn $check() {
                $crate::conformance::$theme::$check(super::$make).await;
            })*
        })*
    };
}

/// Like [`crate::conformance!`], for the checks that need a [`Faulty`] store.
#[macro_export]
macro_rules! conformance_faults {
    ($make:ident) => {
        $crate::conformance! { @stories $make;
            faults {
                a_failed_commit_leaves_all_or_nothing_and_no_later_write_succeeds
            }
        }
    };
}
