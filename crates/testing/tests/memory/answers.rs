//! Error answers: refused puts, and manifests that a policy hides.

use super::*;
use tagwarden::Error;

fn context(error: &Error) -> Vec<(&str, &str)> {
    error.context().collect()
}

#[tokio::test]
async fn refused_put_has_the_registrys_words() {
    for (answer, shown, want) in [
        (
            ErrorAnswer::new(412, "PRECONDITION", "the tag prod matches the immutable rule"),
            "412 PRECONDITION: the tag prod matches the immutable rule",
            vec![("status", "412"), ("registry_code", "PRECONDITION")],
        ),
        (ErrorAnswer::new(423, "", "frozen until Monday"), "423: frozen until Monday", vec![("status", "423")]),
    ] {
        let shop = shop();
        shop.registry.script([InjectedFault::Refused(answer)]);
        let Put::Refused(error) = shop.put().await else { panic!("refused") };
        let digest = shop.new.digest();
        assert_eq!(error.to_string(), format!("the registry answered {shown} (put reg.io/shop:prod {digest})"));
        assert_eq!((error.kind(), context(&error), shop.at()), (ErrorKind::RegistryRefused, want, "old"));
    }
}

#[tokio::test]
async fn hidden_manifest_is_an_error_by_tag_and_digest_and_others_are_read() {
    let shop = shop();
    let pin = tagwarden::registry::pin_tag(&shop.old.digest());
    shop.registry.push(&shop.repository, &pin, &shop.old);
    let words = "the image has 3 critical vulnerabilities";
    let policy = ErrorAnswer::new(412, "PROJECTPOLICYVIOLATION", words);
    shop.registry.hide(&shop.repository, &shop.old.digest(), policy);
    let errors = [
        shop.registry.resolve(&shop.repository, &shop.prod).await.unwrap_err(),
        shop.registry.resolve(&shop.repository, &pin).await.unwrap_err(),
        shop.registry.fetch(&shop.repository.tag(shop.prod.clone())).await.unwrap_err(),
        shop.registry.fetch(&shop.repository.digest(shop.old.digest())).await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert_eq!(context(error), [("status", "412"), ("registry_code", "PROJECTPOLICYVIOLATION")]);
    }
    let digest = shop.old.digest();
    assert_eq!(
        errors.map(|error| error.to_string()),
        ["resolve reg.io/shop:prod", &format!("resolve reg.io/shop:{pin}"), "fetch reg.io/shop:prod"]
            .into_iter()
            .chain([format!("fetch reg.io/shop@{digest}").as_str()])
            .map(|call| format!("the registry answered 412 PROJECTPOLICYVIOLATION: {words} ({call})"))
            .collect::<Vec<_>>()[..]
    );

    let elsewhere: Repository = "reg.io/other".parse().unwrap();
    shop.registry.push(&elsewhere, &shop.prod, &shop.old);
    assert_eq!(shop.registry.resolve(&elsewhere, &shop.prod).await.unwrap(), Some(digest), "another repository");
    let release = shop.registry.fetch(&shop.repository.tag("1.4.2".parse().unwrap())).await.unwrap();
    assert_eq!(release, Some(shop.new.clone()), "another manifest");
    assert_eq!(said(&shop.put().await), "applied");
    assert_eq!(shop.resolve().await, Some(shop.new.digest()), "the tag points at another manifest");
    shop.registry.overwrite(&shop.repository, &shop.prod, &shop.old);
    assert!(shop.registry.unhide(&shop.repository, &digest));
    assert!(!shop.registry.unhide(&shop.repository, &digest));
    assert_eq!(shop.resolve().await, Some(digest));
}

#[tokio::test]
async fn status_of_a_hidden_manifest_determines_the_error() {
    let shop = shop();
    for (status, kind) in [
        (401, ErrorKind::RegistryDenied),
        (403, ErrorKind::RegistryDenied),
        (429, ErrorKind::RegistryBusy),
        (451, ErrorKind::RegistryUnavailable),
    ] {
        shop.registry.hide(&shop.repository, &shop.old.digest(), ErrorAnswer::new(status, "", "no"));
        let error = shop.registry.resolve(&shop.repository, &shop.prod).await.unwrap_err();
        assert_eq!((error.kind(), context(&error)), (kind, vec![("status", status.to_string().as_str())]));
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_read_meets_the_policy_of_the_value_that_it_answers() {
    let shop = shop();
    shop.registry.hide(&shop.repository, &shop.old.digest(), ErrorAnswer::new(412, "PRECONDITION", "no"));
    shop.put().await;
    shop.registry.script_reads([ReadFault::Past(1), ReadFault::Past(0)]);
    assert!(shop.registry.resolve(&shop.repository, &shop.prod).await.is_err());
    assert_eq!(shop.resolve().await, Some(shop.new.digest()));
}
