use std::collections::HashSet;

use super::*;

/// Fills with the same byte.
struct Constant(u8);

impl Entropy for Constant {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

#[test]
fn a_request_id_is_a_version_4_uuid_whatever_is_drawn() {
    for (byte, expected) in [
        (0x00, "00000000-0000-4000-8000-000000000000"),
        (0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        (0x5a, "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"),
    ] {
        assert_eq!(request_id(&Constant(byte)).as_str(), expected);
    }
}

#[test]
fn every_request_id_is_another() {
    for entropy in [&SystemEntropy as &dyn Entropy, &SequenceEntropy::default()] {
        let ids: HashSet<_> = (0..1000).map(|_| request_id(entropy)).collect();
        assert_eq!(ids.len(), 1000);
    }
}

#[test]
fn the_sequence_counts_and_fills_to_the_last_byte() {
    let entropy = SequenceEntropy::default();
    let mut bytes = [0xee; 11];
    entropy.fill(&mut bytes);
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    entropy.fill(&mut bytes[..1]);
    assert_eq!(bytes[0], 2);
    entropy.fill(&mut []);
}
