//! Faults of the test registries, as a caller gives them.

use std::time::Duration;

use tagwarden_bind::testing::{Fault, error_answer};
use tagwarden_testing::InjectedFault;

#[test]
fn error_of_a_registry_needs_a_code_or_a_status() {
    let error = |code: Option<&str>, status| error_answer(code.map(str::to_owned), status, None).unwrap_err();
    assert_eq!(error(None, None).message(), "code: it is missing, and there is no status either");
    assert_eq!(error(None, Some(201)).message(), "status: 201 is not from 400 to 499");
    assert_eq!(error(Some("DENIED"), Some(500)).message(), "status: 500 is not from 400 to 499");
    assert!(error_answer(Some("DENIED".to_owned()), None, None).is_ok());
    assert!(error_answer(None, Some(423), None).is_ok());
}

#[test]
fn field_that_a_fault_does_not_take_is_an_error() {
    let fault = |text: &str| serde_json::from_str::<Fault>(text).unwrap();
    assert_eq!(fault(r#"{"fault": "late", "time": 5}"#).put().unwrap(), InjectedFault::Late(Duration::from_millis(5)));
    let error = fault(r#"{"fault": "after", "time": 5}"#).put().unwrap_err();
    assert_eq!(error.message(), r#"fault: "after" does not take all of these fields"#);
    assert_eq!(fault(r#"{"fault": "late"}"#).put().unwrap_err().message(), "time: it is missing");
    assert_eq!(fault(r#"{"fault": "oops"}"#).read().unwrap_err().message(), r#"fault: "oops" is no fault of a read"#);
    assert!(serde_json::from_str::<Fault>(r#"{"fault": "after", "tagg": "prod"}"#).is_err());
}
