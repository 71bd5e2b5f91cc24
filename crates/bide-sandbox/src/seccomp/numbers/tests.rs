use super::*;

const ARCH: u32 = 7;

/// What the kernel would do with these few kinds of instruction.
fn run(program: &[sock_filter], arch: u32, number: u32) -> u32 {
    let mut at = 0;
    let mut loaded = 0;
    loop {
        let it = &program[at];
        at += 1;
        let test = match u32::from(it.code) {
            code if code == BPF_LD | BPF_W | BPF_ABS => {
                loaded = if it.k == NUMBER { number } else { arch };
                continue;
            }
            code if code == BPF_RET | BPF_K => return it.k,
            code if code == BPF_JMP | BPF_JEQ | BPF_K => loaded == it.k,
            code if code == BPF_JMP | BPF_JGE | BPF_K => loaded >= it.k,
            code => panic!("an unknown instruction {code}"),
        };
        at += usize::from(if test { it.jt } else { it.jf });
    }
}

fn check(answers: &BTreeMap<u32, Answer>, numbers: impl Iterator<Item = u32>) {
    let program = program(answers, ARCH).expect("short enough");
    for number in numbers {
        let expected = answers.get(&number).copied().unwrap_or(Answer::Absent);
        assert_eq!(run(&program, ARCH, number), expected.action(), "{number}");
        assert_eq!(run(&program, ARCH + 1, number), Answer::Absent.action());
    }
}

#[test]
fn each_number_gets_its_answer() {
    use Answer::{Absent, Allow, Refuse};
    check(&BTreeMap::new(), 0..3);
    check(&BTreeMap::from([(0, Allow)]), 0..3);
    check(&BTreeMap::from([(0, Absent), (1, Refuse), (3, Allow), (4, Allow), (9, Refuse)]), 0..12);
    check(&BTreeMap::from([(5, Allow)]), [0, 4, 5, 6, 0x4000_0005, u32::MAX].into_iter());
}

#[test]
fn the_policy_is_answered_as_it_is_written_and_fits() {
    use crate::seccomp::policy::{Policy, Processor};
    let policy = Policy::parse(crate::seccomp::POLICY).unwrap();
    for processor in [Processor::X86_64, Processor::Aarch64] {
        check(&policy.by_number(processor, None).unwrap(), 0..1000);
    }
}

#[test]
fn more_ranges_than_a_jump_can_pass_over_are_an_error() {
    let every_other = (0..1000).map(|number| (number * 2, Answer::Allow)).collect();
    assert!(matches!(program(&every_other, ARCH), Err(FilterError::TooLong)));
}
