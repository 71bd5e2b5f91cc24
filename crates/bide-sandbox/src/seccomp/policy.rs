//! The policy file as its groups, and what the compiler makes of them.
//!
//! Owns the file's grammar. A filter of the compiler has one answer for the calls that match and one for the rest, so two
//! are needed: the first makes everything absent that is not known, the second refuses.

use seccompiler::TargetArch;
use serde::Deserialize;
use serde_json::{Value, json};

/// Names of the two filters.
pub(super) const ABSENT_BY_DEFAULT: &str = "absent by default";
pub(super) const REFUSED: &str = "refused";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) allow: Vec<Group>,
    pub(super) refuse: Vec<Group>,
    /// Absent is what is not allowed; to list it says that somebody thought of it.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
    pub(super) absent: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
    pub(super) why: String,
    pub(super) calls: Vec<String>,
    pub(super) only: Option<Processor>,
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

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Both filters in the compiler's own form (seccompiler, "JSON file format").
    pub(super) fn to_filters(&self, arch: TargetArch) -> Value {
        let rules = |groups: &[Group]| -> Vec<Value> {
            groups.iter().filter(|group| group.is_for(arch)).flat_map(Group::to_rules).collect()
        };
        json!({
            ABSENT_BY_DEFAULT: {
                "mismatch_action": { "errno": libc::ENOSYS },
                "match_action": "allow",
                // What is refused passes the first filter, so that the second one's answer is given.
                "filter": self.known(arch),
            },
            REFUSED: {
                "mismatch_action": "allow",
                "match_action": { "errno": libc::EPERM },
                "filter": rules(&self.refuse),
            },
        })
    }

    fn known(&self, arch: TargetArch) -> Vec<Value> {
        let groups = self.allow.iter().chain(self.refuse.iter().filter(|group| group.when.is_empty()));
        let calls = groups.filter(|group| group.is_for(arch)).flat_map(|group| &group.calls);
        calls.map(|call| json!({ "syscall": call })).collect()
    }
}

impl Group {
    fn is_for(&self, arch: TargetArch) -> bool {
        match self.only {
            None => true,
            Some(Processor::X86_64) => arch == TargetArch::x86_64,
            Some(Processor::Aarch64) => arch == TargetArch::aarch64,
        }
    }

    fn to_rules(&self) -> Vec<Value> {
        let conditions = self.when.iter().fold(vec![Vec::new()], |so_far, condition| {
            let both = |one: &Vec<Value>| {
                let joined = condition.alternatives().into_iter().map(|other| [one.clone(), other].concat());
                joined.collect::<Vec<_>>()
            };
            so_far.iter().flat_map(both).collect()
        });
        let rules = self.calls.iter().flat_map(|call| {
            conditions.iter().map(move |args| match args.as_slice() {
                [] => json!({ "syscall": call }),
                args => json!({ "syscall": call, "args": args }),
            })
        });
        rules.collect()
    }
}

impl Condition {
    /// Comparisons, of which the outer ones are alternatives and the inner ones must all hold.
    fn alternatives(&self) -> Vec<Vec<Value>> {
        match self {
            Self::AnyBit { arg, any_bit } => {
                let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| any_bit & bit != 0);
                bits.map(|bit: u32| vec![compare(*arg, &json!({ "masked_eq": bit }), bit)]).collect()
            }
            Self::OneOf { arg, one_of, mask } => {
                let operator = mask.map_or_else(|| json!("eq"), |mask| json!({ "masked_eq": mask }));
                one_of.iter().map(|value| vec![compare(*arg, &operator, *value)]).collect()
            }
            Self::NoneOf { arg, none_of } => {
                vec![none_of.iter().map(|value| compare(*arg, &json!("ne"), *value)).collect()]
            }
        }
    }
}

/// `dword`: the kernel looks at 32 bits of these arguments, so a set bit above them must not make a difference.
fn compare(arg: u8, operator: &Value, value: u32) -> Value {
    json!({ "index": arg, "type": "dword", "op": operator, "val": value })
}
