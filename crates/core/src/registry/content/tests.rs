use super::*;
use crate::registry::Manifest;

const IMAGE: &str = MANIFEST_TYPES[0];
const INDEX: &str = MANIFEST_TYPES[1];

fn descriptor(of: &[u8]) -> String {
    format!(r#"{{"mediaType":"text/plain","digest":"{}","size":{}}}"#, Digest::of(of), of.len())
}

fn read_as(media_type: &str, json: &str) -> Result<Content> {
    Manifest::new(json.to_owned(), media_type).unwrap().content()
}

fn error(media_type: &str, json: &str) -> String {
    let error = read_as(media_type, json).unwrap_err();
    assert!(error.context().any(|(name, _)| name == "digest"), "{error:?}");
    format!("{}: {error}", error.code())
}

fn image(extra: &str) -> String {
    let d = descriptor(b"x");
    format!(r#"{{"schemaVersion":2{extra},"config":{d},"layers":[{d}]}}"#)
}

#[test]
fn an_image_and_an_index_are_read_with_or_without_their_own_media_type() {
    let want = Descriptor { media_type: "text/plain".parse().unwrap(), digest: Digest::of(b"x"), size: 1 };
    for extra in [String::new(), format!(r#","mediaType":"{IMAGE}""#), r#","unknown":{"a":[1.5,null,true]}"#.to_owned()]
    {
        let content = read_as(IMAGE, &image(&extra)).unwrap();
        assert_eq!(content, Content::Image { config: want.clone(), layers: vec![want.clone()] });
    }
    let index = format!(r#"{{ "manifests": [{}], "schemaVersion" : 2 }}{}"#, descriptor(b"x"), "\n");
    assert_eq!(read_as(INDEX, &index).unwrap(), Content::Index { manifests: vec![want.clone()] });
    assert_eq!(read_as(&format!("{INDEX}; charset=utf-8"), &index).unwrap(), Content::Index { manifests: vec![want] });
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let d = descriptor(b"x");
    assert_eq!(
        error(IMAGE, &image(&format!(r#","mediaType":"{INDEX}""#))),
        format!("MANIFEST_AMBIGUOUS: manifest: served as {IMAGE:?}, but its mediaType says {INDEX:?}")
    );
    assert_eq!(
        error(IMAGE, &image(r#","manifests":[]"#)),
        "MANIFEST_AMBIGUOUS: manifest: an image with parts of an index (manifests) or of schema 1 (fsLayers)"
    );
    assert_eq!(
        error(INDEX, &format!(r#"{{"schemaVersion":2,"manifests":[{d}],"layers":[{d}]}}"#)),
        "MANIFEST_AMBIGUOUS: manifest: an index with parts of an image (config or layers)"
    );
    for (written, field) in
        [("Layers", "layers"), ("LAYERS", "layers"), ("layer\u{17f}", "layers"), ("Config", "config")]
    {
        assert_eq!(
            error(IMAGE, &image(&format!(r#","{written}":[]"#))),
            format!("MANIFEST_AMBIGUOUS: manifest: {written:?} is read as {field:?} by some readers")
        );
    }
    assert!(read_as(IMAGE, &image(r#","annotations":{"Size":"1","size":"2"}"#)).is_ok(), "annotations are free");
}

#[test]
fn what_is_not_supported_is_said() {
    let v1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let again = "is not supported: push it again with a current client";
    assert_eq!(error(v1, "{}"), format!("MANIFEST_UNSUPPORTED: manifest: Docker schema 1 {again}"));
    assert_eq!(
        error(IMAGE, r#"{"schemaVersion":1}"#),
        format!("MANIFEST_UNSUPPORTED: manifest: schemaVersion 1 {again}")
    );
    assert_eq!(
        error("text/html", "<html>"),
        r#"MANIFEST_UNSUPPORTED: manifest: the media type "text/html" is not one of a manifest or an index"#
    );
    let blake = image("").replacen("sha256:", "blake3:", 1);
    assert_eq!(
        error(IMAGE, &blake),
        r#"MANIFEST_UNSUPPORTED: manifest: a digest of the algorithm "blake3"; sha256 and sha512 are supported"#
    );
}

#[test]
fn what_is_not_valid_is_said() {
    let starts = |json: &str, want: &str| {
        let got = error(IMAGE, json);
        assert!(got.starts_with(&format!("MANIFEST_INVALID: manifest: {want}")), "{got}");
    };
    starts("", "EOF while parsing");
    starts("<html>", "expected value");
    starts("{}{}", "trailing characters");
    starts("[2,null]", "invalid type: sequence, expected an object");
    starts("{}", "schemaVersion is missing");
    starts(r#"{"schemaVersion":3}"#, "schemaVersion is 3 instead of 2");
    starts(r#"{"schemaVersion":2}"#, "neither config and layers nor manifests");
    starts(r#"{"schemaVersion":2,"layers":[]}"#, "config is missing");
    starts(r#"{"schemaVersion":2,"a":{"k":1,"k":1}}"#, r#"the key "k" stands twice"#);
    starts(&image("").replacen(r#""size":1"#, r#""size":-1"#, 1), "invalid value: integer `-1`");
    starts(&image("").replacen("sha256:", "sha256:../", 1), "digest: not a lower-case hex digit at byte 7");
    let deep = format!(r#"{{"schemaVersion":2,"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    starts(&deep, "recursion limit exceeded");
}

#[test]
fn a_subject_is_read_and_a_foreign_layer_is_known() {
    let with = image(&format!(r#","subject":{}"#, descriptor(b"s")));
    let manifest = Manifest::new(with, IMAGE).unwrap();
    assert_eq!(manifest.subject().unwrap().unwrap().digest, Digest::of(b"s"));
    assert_eq!(Manifest::new(image(""), IMAGE).unwrap().subject().unwrap(), None);

    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let json = image("").replace("text/plain", foreign);
    let Content::Image { layers, .. } = read_as(IMAGE, &json).unwrap() else { panic!("an image") };
    assert!(layers[0].is_foreign());
}

#[test]
fn list_that_is_null_is_empty() {
    let d = descriptor(b"x");
    let config = Descriptor { media_type: "text/plain".parse().unwrap(), digest: Digest::of(b"x"), size: 1 };
    let content = read_as(IMAGE, &format!(r#"{{"schemaVersion":2,"config":{d},"layers":null,"manifests":null}}"#));
    assert_eq!(content.unwrap(), Content::Image { config, layers: Vec::new() });
    let content = read_as(INDEX, r#"{"schemaVersion":2,"manifests":null,"layers":null}"#);
    assert_eq!(content.unwrap(), Content::Index { manifests: Vec::new() });
    for artifact in ARTIFACT_TYPES {
        let content = read_as(artifact, &format!(r#"{{"mediaType":"{artifact}","blobs":null}}"#));
        assert_eq!(content.unwrap(), Content::Artifact { blobs: Vec::new() });
    }
}

#[test]
fn artifact_manifest_is_its_blobs() {
    let (blob, subject) = (descriptor(b"x"), descriptor(b"s"));
    let want = Descriptor { media_type: "text/plain".parse().unwrap(), digest: Digest::of(b"x"), size: 1 };
    for artifact in ARTIFACT_TYPES {
        let json = format!(
            r#"{{"mediaType":"{artifact}","artifactType":"example/sbom","blobs":[{blob}],"subject":{subject}}}"#
        );
        assert_eq!(read_as(artifact, &json).unwrap(), Content::Artifact { blobs: vec![want.clone()] });
        let manifest = Manifest::new(json, artifact).unwrap();
        assert_eq!(manifest.subject().unwrap().unwrap().digest, Digest::of(b"s"));
        assert_eq!(
            error(artifact, &format!(r#"{{"blobs":[{blob}],"layers":[{blob}]}}"#)),
            "MANIFEST_AMBIGUOUS: manifest: an artifact with parts of an image (config or layers) or of an index (manifests)"
        );
    }
}

#[test]
fn fields_of_vendors_are_not_looked_at() {
    let vendor = r#","vendor":{"Size":1,"Layers":[{"Digest":"x"}]},"Size":7"#;
    assert!(read_as(IMAGE, &image(vendor)).is_ok());
    let inside = image("").replace(r#""size":1"#, r#""size":1,"platform":{"Digest":"x"},"Layers":[]"#);
    assert!(read_as(IMAGE, &inside).is_ok());
    assert_eq!(
        error(IMAGE, &image("").replacen(r#""size":1"#, r#""size":1,"Digest":"x""#, 1)),
        r#"MANIFEST_AMBIGUOUS: manifest: "Digest" is read as "digest" by some readers"#
    );
}

#[test]
fn descriptor_without_usable_media_type_is_read() {
    let config = |of: &str| match read_as(IMAGE, &image("").replace(r#""mediaType":"text/plain","#, of)) {
        Ok(Content::Image { config, .. }) => config.media_type.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(config(""), "-");
    assert_eq!(config(r#""mediaType":"","#), "-");
    assert_eq!(config(r#""mediaType":null,"#), "-");
    assert_eq!(config(r#""mediaType":"x\u001by","#), "x\u{fffd}y");
}
