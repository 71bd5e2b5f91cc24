use std::collections::BTreeMap;

use super::policy::{Group, Processor};
use super::*;

fn policy() -> Policy {
    Policy::parse(POLICY).expect("the policy is read")
}

#[test]
fn the_policy_compiles_for_both_processors() {
    for arch in [TargetArch::x86_64, TargetArch::aarch64] {
        let filter = Filter::compile(&policy(), arch).unwrap();
        assert!(filter.programs.iter().all(|program| !program.is_empty()));
    }
    Filter::build().unwrap();
}

#[test]
fn every_group_says_why_and_no_call_is_in_two() {
    let policy = policy();
    let mut seen = BTreeMap::new();
    let groups = [&policy.allow, &policy.refuse, &policy.absent];
    for group in groups.into_iter().flatten() {
        assert!(!group.why.trim().is_empty(), "{:?}", group.calls);
        for call in group.calls.iter().filter(|_| group.when.is_empty()) {
            assert_eq!(seen.insert(call, &group.why), None, "{call} is in two groups");
        }
    }
    let has = |groups: &[Group], call| groups.iter().any(|group| group.calls.contains(call));
    for group in policy.refuse.iter().filter(|group| !group.when.is_empty()) {
        assert!(group.calls.iter().all(|call| has(&policy.allow, call)), "{:?} is not allowed", group.calls);
    }
    assert!(policy.absent.iter().all(|group| group.when.is_empty()));
}

#[test]
fn a_call_that_the_compiler_does_not_know_is_an_error() {
    let text = "refuse = []\nabsent = []\n[[allow]]\nwhy = 'x'\ncalls = ['no_such_call']\n";
    let policy = Policy::parse(text).unwrap();
    assert!(matches!(Filter::compile(&policy, TargetArch::x86_64), Err(FilterError::Compile(_))));
    assert!(Policy::parse("allow = []\nrefuse = []\nabsent = []\nkill = []\n").is_err());
}

#[test]
fn groups_of_another_processor_are_left_out() {
    let policy = policy();
    let legacy = policy.allow.iter().find(|group| group.calls.iter().any(|call| call == "fork")).unwrap();
    assert_eq!(legacy.only, Some(Processor::X86_64));
    let [x86, arm] =
        [TargetArch::x86_64, TargetArch::aarch64].map(|arch| policy.to_filters(arch).to_string());
    assert!(x86.contains("\"fork\"") && !arm.contains("\"fork\""));
}

#[test]
fn the_bytes_are_those_of_the_kernels_structure() {
    let filter = Filter::build().unwrap();
    let bytes = filter.to_bytes();
    assert_eq!(bytes.len(), filter.programs.len());
    let first = &filter.programs[0][0];
    assert_eq!(bytes[0].len(), filter.programs[0].len() * size_of::<libc::sock_filter>());
    assert_eq!(u16::from_ne_bytes([bytes[0][0], bytes[0][1]]), first.code);
    assert_eq!(u32::from_ne_bytes([bytes[0][4], bytes[0][5], bytes[0][6], bytes[0][7]]), first.k);
}
