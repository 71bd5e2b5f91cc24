use super::*;
use crate::secret::SecretSource;

fn secret(text: &str) -> Secret {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    SecretSource::File(file.path().to_owned()).read().expect("readable")
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// The example that the libraries of Standard Webhooks test with.
#[test]
fn a_message_is_signed_as_receivers_check_it() {
    let signer = Signer::new(&secret(&format!("{SECRET}\n"))).expect("a secret");
    let signed = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
    assert_eq!(signed, SIGNATURE);
}

#[test]
fn each_secret_signs() {
    let two = format!("whsec_{}\n{SECRET}\n", STANDARD.encode([7; 32]));
    let signed = Signer::new(&secret(&two)).expect("secrets").sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b"{\"test\": 2432232314}",
    );
    let signatures: Vec<&str> = signed.split(' ').collect();
    assert_eq!((signatures.len(), signatures[1]), (2, SIGNATURE));
    assert_ne!(signatures[0], SIGNATURE);
}

#[test]
fn what_is_no_secret_is_refused_without_being_shown() {
    let short = format!("whsec_{}", STANDARD.encode([7; 8]));
    for wrong in ["hunter2", "whsec_???", &short, &[SECRET; 5].join("\n")] {
        let refused = Signer::new(&secret(wrong)).err().expect("refused");
        assert!(!refused.contains("hunter2") && !refused.contains("???"), "{refused}");
    }
}
