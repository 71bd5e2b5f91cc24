//! The suite that every store must pass: what the [`Store`] contract says, as named tests.
//!
//! A store implements [`Subject`] (and [`Faulty`], if a write can be made to fail) and expands [`crate::conformance!`]
//! in its tests, each check on a store of its own:
//!
//! ```text
//! async fn on_disk() -> OnDisk { ... } // an empty store
//!
//! bide_store::conformance!(on_disk);
//! bide_store::conformance_faults!(on_disk);
//! ```
//!
//! Most checks tell one rule. `random` compares every read with the in-memory model, batch after batch; when it fails,
//! it names the seed and the batch, and the same test fails again in the same way.

pub mod batches;
pub mod claims;
pub mod controls;
pub mod dead_letters;
pub mod deliveries;
mod driver;
pub mod faults;
pub mod leases;
pub mod lifecycle;
pub mod lists;
pub mod logs;
pub mod packages;
pub mod random;
mod reads;
pub mod retention;
pub(crate) mod script;
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

/// Expands to one `#[tokio::test]` per check, each on the store that `$make().await` gives: a [`Subject`] that is
/// empty. The crate needs tokio with `macros` and `rt`.
#[macro_export]
macro_rules! conformance {
    ($make:ident) => {
        $crate::conformance! { @checks $make;
            lifecycle {
                a_task_goes_from_submission_to_success
                what_the_payload_is_stays_known_to_the_end
                a_failed_attempt_is_retried_when_due
                a_task_id_is_taken_once_per_function
                a_plain_record_goes_when_it_settles
                a_plain_record_stays_while_its_delivery_is_pending
                a_rejected_transition_changes_nothing
                what_does_not_exist_is_not_found
                an_empty_batch_changes_nothing
            }
            batches {
                operations_of_one_batch_see_those_before_them
                batches_that_come_at_once_are_applied_one_after_the_other
                a_closed_store_answers_nothing_and_has_lost_nothing
            }
            claims {
                work_is_claimed_in_the_order_of_due_times
                nothing_is_claimed_before_it_is_due
                a_claim_hands_out_at_most_what_it_wants
                two_claims_in_one_batch_never_share_work
                a_claim_for_nothing_only_drops_what_is_too_old
                a_claim_settles_what_is_too_old_on_its_way
                a_claim_settles_a_bounded_number
                a_claim_for_nothing_looks_at_a_bounded_number
                work_for_a_qualifier_that_is_gone_is_invalid
                a_claim_does_not_see_the_submissions_of_its_own_batch
                a_claim_passes_over_what_its_own_batch_stopped
                a_long_line_is_handed_out_once_and_in_order
                waiting_names_each_line_with_its_first_due_time
                the_lines_of_a_function_do_not_hold_up_one_another
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
                a_stop_after_the_configuration_is_gone_tells_the_destination_known_before
            }
            leases {
                a_lease_is_listed_when_it_is_of_another_holder_or_has_run_out
                a_lease_stays_out_while_running_and_stopping_and_ends_with_them
                work_of_a_dead_holder_runs_again_and_its_late_result_is_refused
                an_epoch_is_never_granted_twice
            }
            deliveries {
                a_success_leaves_a_record_with_event_and_result
                a_failure_leaves_a_record_with_the_error
                an_end_without_a_run_leaves_a_record_without_a_result
                without_a_target_no_record_is_made
                records_come_in_the_order_of_due_times
                a_retry_puts_the_record_off_and_counts
                what_is_put_off_does_not_count_as_tried
                the_end_of_a_delivery_is_on_the_task
                two_outcomes_in_one_batch_are_taken_in_turn
                a_record_is_not_settled_by_the_batch_that_adds_it
            }
            dead_letters {
                what_is_given_up_is_kept_with_its_reason
                a_dead_letter_is_delivered_again_as_if_never_tried
                a_dropped_letter_is_gone
                the_oldest_letters_are_dropped_first
                letters_come_in_pages_in_the_order_of_time
                a_task_with_a_dead_letter_is_not_purged
                what_is_no_dead_letter_is_not_changed
            }
            retention {
                the_largest_event_and_result_are_kept
                an_empty_event_and_an_empty_result_are_kept
                a_purge_removes_what_settled_before
                a_purge_removes_at_most_so_many_and_the_oldest_first
                a_purged_task_id_can_be_used_again
                a_task_whose_delivery_is_pending_is_not_purged
                ids_grow_over_reopening_and_clock_steps
            }
            logs {
                each_attempt_of_a_task_keeps_its_log
                what_wrote_nothing_or_is_no_task_keeps_no_log
                a_refused_end_leaves_no_log
                an_attempt_whose_server_is_gone_says_so
                code_that_cannot_be_loaded_keeps_its_log
                of_many_attempts_the_first_and_the_last_keep_their_logs
                logs_go_with_their_task
            }
            lists {
                tasks_are_listed_in_both_orders_of_acceptance
                tasks_are_filtered_by_status
                tasks_are_filtered_by_prefix_qualifier_and_time
                the_time_filter_holds_when_the_clock_steps_back
                events_come_with_a_list_only_if_asked_for_and_results_never
                pages_visit_every_task_once_while_others_come_and_go
                a_rare_task_is_found_among_many
            }
            controls {
                each_write_raises_the_revision
                a_write_that_expects_something_else_is_a_conflict
                writes_of_one_change_happen_together_or_not_at_all
                changes_of_one_batch_see_those_before_them
                a_removed_object_is_gone_and_can_come_again
                what_goes_with_a_change_is_submitted_with_it_or_not_at_all
                objects_come_in_the_order_of_keys
            }
            packages {
                a_package_is_kept_under_its_digest
                packages_that_nobody_names_are_removed
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
                callers_at_the_time_of_a_fault_are_told_the_truth
            }
        }
    };
}

#[cfg(test)]
mod tests;
