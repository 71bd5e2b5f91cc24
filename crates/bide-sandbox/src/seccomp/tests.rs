use std::collections::BTreeMap;

use super::policy::Group;
use super::*;

fn policy() -> Policy {
    Policy::parse(POLICY).expect("the policy is read")
}

#[test]
fn the_policy_compiles_for_both_processors() {
    for processor in [Processor::X86_64, Processor::Aarch64] {
        let filter = Filter::compile(&policy(), processor, None).unwrap();
        assert!(filter.programs.iter().all(|program| !program.is_empty()));
    }
    Filter::build(true).unwrap();
}

#[test]
fn every_group_says_why_and_no_call_is_in_two() {
    let policy = policy();
    let mut seen = BTreeMap::new();
    let groups = [&policy.allow, &policy.refuse, &policy.absent];
    for group in groups.into_iter().flatten() {
        assert!(!group.why.trim().is_empty(), "{:?}", group.calls);
        for call in group.calls.iter().filter(|_| group.when.is_empty() && group.host.is_none()) {
            assert_eq!(seen.insert(call, &group.why), None, "{call} is in two groups");
        }
    }
    let has = |groups: &[Group], call| groups.iter().any(|group| group.calls.contains(call));
    for group in policy.refuse.iter().filter(|group| !group.when.is_empty()) {
        assert!(group.calls.iter().all(|call| has(&policy.allow, call)), "{:?} is not allowed", group.calls);
    }
    let unconditional = |groups: &[Group]| groups.iter().all(|group| group.when.is_empty());
    assert!(unconditional(&policy.allow) && unconditional(&policy.absent));
}

#[test]
fn every_call_of_the_kernel_was_thought_of() {
    let policy = policy();
    let forgotten =
        |processor, number: &u32| !policy.by_number(processor, None).unwrap().contains_key(number);
    let x86 = (0..1000).filter_map(syscalls::x86_64::Sysno::new);
    let x86: Vec<_> = x86.filter(|call| forgotten(Processor::X86_64, &(*call as u32))).collect();
    assert!(x86.is_empty(), "{x86:?}");
    // Numbers 403 to 423 are for 32-bit processors only; the table has some of them for this one too.
    let arm = (0..1000).filter(|number| !(403..=423).contains(number));
    let arm = arm.filter_map(syscalls::aarch64::Sysno::new);
    let arm: Vec<_> = arm.filter(|call| forgotten(Processor::Aarch64, &(*call as u32))).collect();
    assert!(arm.is_empty(), "{arm:?}");
}

#[test]
fn memory_in_no_process_is_absent_where_nobody_counts_it() {
    let answer = |host, call: &str| {
        let answers = policy().by_number(Processor::X86_64, host).unwrap();
        answers[&(call.parse::<syscalls::x86_64::Sysno>().unwrap() as u32)]
    };
    for call in ["memfd_create", "shmget", "msgget"] {
        assert_eq!(answer(None, call), numbers::Answer::Allow, "{call}");
        assert_eq!(answer(Some(Host::MemoryUncounted), call), numbers::Answer::Absent, "{call}");
    }
    assert_eq!(answer(Some(Host::MemoryUncounted), "mmap"), numbers::Answer::Allow);
}

#[test]
fn a_policy_with_a_mistake_is_an_error() {
    let text = |call: &str| format!("refuse = []\nabsent = []\n[[allow]]\nwhy = 'x'\ncalls = ['{call}']\n");
    let compile = |text: &str| Filter::compile(&Policy::parse(text)?, Processor::X86_64, None);
    assert!(
        matches!(compile(&text("no_such_call")), Err(FilterError::UnknownCall(call)) if call == "no_such_call")
    );
    assert!(matches!(compile(&text("read").replace("why", "because")), Err(FilterError::Policy(_))));
}

#[test]
fn the_bytes_are_those_of_the_kernels_structure() {
    let filter = Filter::build(true).unwrap();
    let bytes = filter.to_bytes();
    assert_eq!(bytes.len(), filter.programs.len());
    let first = &filter.programs[0][0];
    assert_eq!(bytes[0].len(), filter.programs[0].len() * size_of::<sock_filter>());
    assert_eq!(u16::from_ne_bytes([bytes[0][0], bytes[0][1]]), first.code);
    assert_eq!(u32::from_ne_bytes([bytes[0][4], bytes[0][5], bytes[0][6], bytes[0][7]]), first.k);
}
