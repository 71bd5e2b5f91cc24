//! The program that answers by a call's number alone.
//!
//! Owns a search by halves over ranges of numbers. A compiler that compares with one number after the other is right as
//! well, but the kernel tries every call of its table when a filter is installed (to answer most of them without running
//! it), which took 0.9 ms per instance with a chain over this policy and takes less than 0.1 ms with the search.

use std::collections::BTreeMap;

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use super::FilterError;

/// Offsets in `struct seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// What a call is answered with when its arguments do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    /// EPERM.
    Refuse,
    /// ENOSYS.
    Absent,
}

impl Answer {
    pub(super) fn action(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Refuse => libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
            Self::Absent => libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        }
    }
}

/// Numbers that are not in `answers`, and all calls of another architecture than `audit_arch`, are absent.
pub(super) fn program(
    answers: &BTreeMap<u32, Answer>,
    audit_arch: u32,
) -> Result<Vec<sock_filter>, FilterError> {
    let mut program =
        vec![load(ARCHITECTURE), jump(BPF_JEQ, audit_arch, 1, 0), give(Answer::Absent), load(NUMBER)];
    program.extend(search(&ranges(answers))?);
    Ok(program)
}

/// First numbers of ranges with one answer, ascending from 0.
fn ranges(answers: &BTreeMap<u32, Answer>) -> Vec<(u32, Answer)> {
    let mut ranges = vec![(0, Answer::Absent)];
    let mut begin = |at, answer| {
        if ranges.last().is_some_and(|(_, before)| *before != answer) {
            ranges.push((at, answer));
        }
    };
    let mut next = 0;
    for (&number, &answer) in answers {
        if number > next {
            begin(next, Answer::Absent);
        }
        begin(number, answer);
        next = number + 1;
    }
    begin(next, Answer::Absent);
    ranges
}

fn search(ranges: &[(u32, Answer)]) -> Result<Vec<sock_filter>, FilterError> {
    if let [(_, answer)] = ranges {
        return Ok(vec![give(*answer)]);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let below = search(low)?;
    let over = u8::try_from(below.len()).map_err(|_| FilterError::TooLong)?;
    let mut program = vec![jump(BPF_JGE, high[0].0, over, 0)];
    program.extend(below);
    program.extend(search(high)?);
    Ok(program)
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    instruction(BPF_JMP | test | BPF_K, value, then, otherwise)
}

fn give(answer: Answer) -> sock_filter {
    instruction(BPF_RET | BPF_K, answer.action(), 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt, jf, k }
}

#[cfg(test)]
mod tests;
