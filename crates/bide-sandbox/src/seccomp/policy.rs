//! The policy file as its groups, and what they mean for one kind of processor.
//!
//! Owns the file's grammar and the resolution of names to numbers.

use std::collections::BTreeMap;

use seccompiler::{
    SeccompCmpArgLen as ArgLen, SeccompCmpOp as Op, SeccompCondition, SeccompRule, TargetArch,
};
use serde::Deserialize;

use super::FilterError;
use super::numbers::Answer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) allow: Vec<Group>,
    pub(super) refuse: Vec<Group>,
    pub(super) absent: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
    pub(super) why: String,
    pub(super) calls: Vec<String>,
    pub(super) only: Option<Processor>,
    pub(super) host: Option<Host>,
    /// All must hold; with none the group is unconditional.
    #[serde(default)]
    pub(super) when: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Processor {
    X86_64,
    Aarch64,
}

/// What a host may lack, so that a group is needed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Host {
    MemoryUncounted,
}

/// A condition on one argument, counted from 0.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub(super) enum Condition {
    /// At least one of these bits is set.
    AnyBit { arg: u8, any_bit: u32 },
    /// The argument, or its bits in `mask`, is one of these.
    OneOf { arg: u8, one_of: Vec<u32>, mask: Option<u32> },
    /// The argument is none of these.
    NoneOf { arg: u8, none_of: Vec<u32> },
}

/// Comparisons that must all hold.
type Comparisons = Vec<SeccompCondition>;

impl Processor {
    /// The number of a call; `None` if this processor has no such call.
    fn number(self, call: &str) -> Option<u32> {
        match self {
            Self::X86_64 => call.parse::<syscalls::x86_64::Sysno>().ok().map(|call| call as u32),
            Self::Aarch64 => call.parse::<syscalls::aarch64::Sysno>().ok().map(|call| call as u32),
        }
    }

    /// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64` (linux/audit.h).
    pub(super) fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    pub(super) fn target(self) -> TargetArch {
        match self {
            Self::X86_64 => TargetArch::x86_64,
            Self::Aarch64 => TargetArch::aarch64,
        }
    }
}

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(toml::from_str(text)?)
    }

    /// The answers to calls whose arguments do not matter, or that must not be refused for them. `host`: what is lacking.
    pub(super) fn by_number(
        &self,
        processor: Processor,
        host: Option<Host>,
    ) -> Result<BTreeMap<u32, Answer>, FilterError> {
        let lists =
            [(&self.absent, Answer::Absent), (&self.refuse, Answer::Refuse), (&self.allow, Answer::Allow)];
        let mut answers = BTreeMap::new();
        // Groups for a host come last, so that they win.
        for of_host in [None, host] {
            for (groups, answer) in lists {
                for group in groups.iter().filter(|group| group.is_for(processor) && group.when.is_empty()) {
                    for number in group.numbers(processor).filter(|_| group.host == of_host) {
                        answers.insert(number?, answer);
                    }
                }
            }
        }
        Ok(answers)
    }

    /// The arguments for which allowed calls are refused, in the compiler's form: by number, alternatives.
    pub(super) fn by_argument(
        &self,
        processor: Processor,
    ) -> Result<BTreeMap<i64, Vec<SeccompRule>>, FilterError> {
        let mut rules: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for group in self.refuse.iter().filter(|group| group.is_for(processor) && !group.when.is_empty()) {
            for number in group.numbers(processor) {
                let of_call = rules.entry(i64::from(number?)).or_default();
                for comparisons in group.alternatives()? {
                    of_call.push(SeccompRule::new(comparisons)?);
                }
            }
        }
        Ok(rules)
    }
}

impl Group {
    fn is_for(&self, processor: Processor) -> bool {
        self.only.is_none_or(|only| only == processor)
    }

    fn numbers(&self, processor: Processor) -> impl Iterator<Item = Result<u32, FilterError>> {
        let number =
            move |call: &String| processor.number(call).ok_or_else(|| FilterError::UnknownCall(call.clone()));
        self.calls.iter().map(number)
    }

    fn alternatives(&self) -> Result<Vec<Comparisons>, FilterError> {
        let mut all = vec![Comparisons::new()];
        for condition in &self.when {
            let of_condition = condition.alternatives()?;
            let joined =
                all.iter().flat_map(|one| of_condition.iter().map(|other| [&one[..], other].concat()));
            all = joined.collect();
        }
        Ok(all)
    }
}

impl Condition {
    fn alternatives(&self) -> Result<Vec<Comparisons>, FilterError> {
        match self {
            Self::AnyBit { arg, any_bit } => {
                let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| any_bit & bit != 0);
                bits.map(|bit: u32| Ok(vec![compare(*arg, Op::MaskedEq(bit.into()), bit)?])).collect()
            }
            Self::OneOf { arg, one_of, mask } => {
                let operator = mask.map_or(Op::Eq, |mask| Op::MaskedEq(mask.into()));
                one_of.iter().map(|value| Ok(vec![compare(*arg, operator.clone(), *value)?])).collect()
            }
            Self::NoneOf { arg, none_of } => {
                let all = none_of.iter().map(|value| compare(*arg, Op::Ne, *value));
                Ok(vec![all.collect::<Result<_, _>>()?])
            }
        }
    }
}

/// `Dword`: the kernel looks at 32 bits of these arguments, so a set bit above them must not make a difference.
fn compare(arg: u8, operator: Op, value: u32) -> Result<SeccompCondition, FilterError> {
    Ok(SeccompCondition::new(arg, ArgLen::Dword, operator, value.into())?)
}
